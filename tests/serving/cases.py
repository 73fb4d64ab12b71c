"""Scripts and requests for the comparison with Microsoft's server, and the differences that are meant."""
# ruff: noqa: E501

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

TEXT = """
    import json, time

    def init():
        pass

    def run(data):
        if data == "raise":
            raise ValueError("secret detail")
        if data == "none":
            return None
        if data == "set":
            return {1, 2}
        if data == "nan":
            return {"a": float("nan"), "b": [1, 2.50, "ä", None, True], "c": {"1": 10**30}}
        if data == "keys":
            return {1: "one", None: 2, True: 3}
        if data == "text":
            return "plain text"
        if data == "exit":
            raise KeyError
        if data == "sleep":
            time.sleep(10)
        return {"length": len(data), "start": data[:50]}
"""

SCHEMA = """
    import numpy as np
    import pandas as pd
    from inference_schema.schema_decorators import input_schema, output_schema
    from inference_schema.parameter_types.numpy_parameter_type import NumpyParameterType
    from inference_schema.parameter_types.pandas_parameter_type import PandasParameterType
    from inference_schema.parameter_types.standard_py_parameter_type import StandardPythonParameterType

    TABLE = pd.DataFrame([{"age": 1, "name": "x", "score": 1.5, "when": pd.Timestamp("2020-01-02")}])

    def init():
        pass

    @input_schema("array", NumpyParameterType(np.array([[1, 2.5]])))
    @input_schema("table", PandasParameterType(TABLE), optional=True)
    @input_schema("number", StandardPythonParameterType(1), optional=True)
    @input_schema("flag", StandardPythonParameterType(True), optional=True)
    @output_schema(NumpyParameterType(np.array([1.0])))
    def run(array, table=None, number=5, flag=None):
        shown = None if table is None else [str(t) for t in table.dtypes]
        return {"sum": array.sum(axis=1).tolist(), "dtype": str(array.dtype), "table": shown, "rest": [number, flag]}
"""

NESTED = """
    import numpy as np
    from inference_schema.schema_decorators import input_schema, output_schema
    from inference_schema.parameter_types.numpy_parameter_type import NumpyParameterType
    from inference_schema.parameter_types.standard_py_parameter_type import StandardPythonParameterType

    SAMPLE = {
        "name": StandardPythonParameterType("x"),
        "array": NumpyParameterType(np.array([[1.0, 2.0]])),
        "items": StandardPythonParameterType([StandardPythonParameterType({"a": StandardPythonParameterType(1)})]),
    }

    def init():
        pass

    @input_schema("payload", StandardPythonParameterType(SAMPLE))
    @output_schema(StandardPythonParameterType({"sum": 1.0}))
    def run(payload):
        return {"sum": float(payload["array"].sum()), "kind": type(payload["array"]).__name__, "items": payload["items"]}
"""

RAW = """
    from azureml_inference_server_http.api.aml_request import AMLRequest, rawhttp
    from azureml_inference_server_http.api.aml_response import AMLResponse

    def init():
        pass

    @rawhttp
    def run(request):
        what = request.args.get("what", "echo")
        if what == "echo":
            return AMLResponse(request.get_data(), 200, {"Content-Type": "image/png"})
        if what == "text":
            return AMLResponse("hällo", 202)
        if what == "json":
            return AMLResponse({"a": [1, "ä"]}, 200, {"X-List": "a, b,c"}, json_str=True)
        if what == "none":
            return AMLResponse(None, 200)
        if what == "failed":
            return AMLResponse("x", 503, {}, run_function_failed=True)
        if what == "status":
            return AMLResponse("x", int(request.args["code"]))
        if what == "plain":
            return {"method": request.method, "path": request.path, "query": request.query_string.decode()}
        if what == "request":
            names = ("content_type", "mimetype", "is_json", "full_path", "scheme", "content_length")
            found = {name: getattr(request, name) for name in names}
            return {**found, "form": request.form.to_dict(), "args": request.args.to_dict(False)}
        if what == "files":
            return {k: [f.filename, f.read().decode(), f.content_type] for k, f in request.files.items()}
        if what == "getjson":
            return request.get_json()
        if what == "headers":
            return {k: v for k, v in request.headers.items() if k.startswith("X-")}
        raise ValueError(what)
"""

SCRIPTS = {"text": TEXT, "schema": SCHEMA, "nested": NESTED, "raw": RAW}
ENVIRON = {"AML_CORS_ORIGINS": "https://a.example,https://b.example", "SCORING_TIMEOUT_MS": "700"}
JSON = {"Content-Type": "application/json"}
COMPARED = (
    "content-type", "x-ms-run-function-failed", "x-request-id", "x-ms-request-id", "x-ms-client-request-id",
    "traceid", "access-control-allow-origin", "access-control-allow-methods", "access-control-allow-headers", "vary",
    "x-list",
)  # fmt: skip


@dataclass(frozen=True)
class Case:
    """One request."""

    script: str
    method: str = "POST"
    path: str = "/score"
    body: bytes | None = None
    headers: dict[str, str] = field(default_factory=lambda: dict(JSON))


def array(value: Any) -> bytes:
    return json.dumps({"array": value}).encode()


MULTIPART = b'--b\r\nContent-Disposition: form-data; name="f"; filename="x.txt"\r\n\r\nabc\r\n--b--\r\n'
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
TIMES = '{"array": [[1,2]], "table": [{"age": 1, "name": "x", "score": 2, "when": "2020-01-02"}]}'

CASES = {
    # -- every route --
    "health": Case("text", "GET", "/", headers={}),
    "health head": Case("text", "HEAD", "/", headers={}),
    "health post": Case("text", "POST", "/", b""),
    "health options": Case("text", "OPTIONS", "/", headers={}),
    "not found": Case("text", "GET", "/nothing", headers={}),
    "not found trailing slash": Case("text", "POST", "/score/", b"{}"),
    "not found case": Case("text", "POST", "/Score", b"{}"),
    "escaped path": Case("text", "POST", "/%73core", b"{}"),
    "double slash": Case("text", "POST", "//score", b"{}"),
    "delete": Case("text", "DELETE"),
    "put": Case("text", "PUT", body=b"{}"),
    "patch": Case("text", "PATCH", body=b"{}"),
    "head score": Case("text", "HEAD", headers={}),
    "options score": Case("text", "OPTIONS", headers={}),
    # -- swagger --
    **{f"swagger {s} {v}": Case(s, "GET", f"/swagger.json?version={v}", headers={})
       for s in ("text", "schema", "nested", "raw") for v in ("2", "2.0", "3", "3.0", "3.1")},
    "swagger": Case("schema", "GET", "/swagger.json", headers={}),
    "swagger empty version": Case("schema", "GET", "/swagger.json?version=", headers={}),
    "swagger bad version": Case("schema", "GET", "/swagger.json?version=4", headers={}),
    "swagger two versions": Case("schema", "GET", "/swagger.json?version=3&version=2", headers={}),
    "swagger post": Case("schema", "POST", "/swagger.json", b"{}"),
    # -- undecorated --
    "text": Case("text", body=b'{"data": [1, 2]}'),
    "text no json": Case("text", body=b"whatever", headers={"Content-Type": "text/plain"}),
    "text no type": Case("text", body=b"whatever", headers={}),
    "text empty": Case("text", body=b""),
    "text form": Case("text", body=b'{"data": 1}', headers=FORM),
    "text multipart": Case("text", body=MULTIPART, headers={"Content-Type": "multipart/form-data; boundary=b"}),
    "text unicode": Case("text", body='{"ä": "漢字😀"}'.encode()),
    "text bom": Case("text", body=b"\xef\xbb\xbf{}"),
    "text latin": Case("text", body=b'{"a": "\xe4"}'),
    "text utf-16": Case("text", body='{"a": 1}'.encode("utf-16")),
    "text nul": Case("text", body=b"a\x00b"),
    "text surrogates": Case("text", body=b"\xed\xa0\x80"),
    "text large": Case("text", body=b'"' + b"x" * 3_000_000 + b'"'),
    "text get": Case("text", "GET", "/score?a=1&b=[1,2]&c=x&c=y&d=null&e=&f", headers={}),
    "text get nothing": Case("text", "GET", headers={}),
    "text get odd": Case("text", "GET", "/score?%FF=%FE&=x&a=%7B&b=%E4%BD%A0&a+b=c+d&n=NaN&x=1e400", headers={}),
    **{f"text returns {name}": Case("text", body=name.encode())
       for name in ("raise", "none", "set", "nan", "keys", "text", "exit", "sleep")},
    # -- ids --
    "ids": Case("text", body=b"{}", headers={
        "x-request-id": "r", "x-ms-request-id": "l", "x-ms-client-request-id": "c", "TraceId": "t"}),
    "ids request": Case("text", body=b"{}", headers={"x-request-id": "r"}),
    "ids legacy": Case("text", body=b"{}", headers={"x-request-id": "r", "x-ms-request-id": "l"}),
    "ids client": Case("text", body=b"{}", headers={"x-request-id": "r", "x-ms-client-request-id": "c"}),
    "ids empty": Case("text", body=b"{}", headers={"x-request-id": "r", "x-ms-request-id": ""}),
    "ids long": Case("text", body=b"{}", headers={"x-request-id": "r" * 101}),
    "ids longest": Case("text", body=b"{}", headers={"x-request-id": "r" * 100}),
    "ids client long": Case("text", body=b"{}", headers={"x-request-id": "r", "x-ms-client-request-id": "c" * 101}),
    "ids on errors": Case("text", "GET", "/nothing", headers={"x-request-id": "r"}),
    # -- CORS --
    "cors allowed": Case("text", body=b"{}", headers={"Origin": "https://a.example"}),
    "cors other": Case("text", body=b"{}", headers={"Origin": "https://evil.example"}),
    "cors none": Case("text", body=b"{}", headers={}),
    "cors health": Case("text", "GET", "/", headers={"Origin": "https://b.example"}),
    "cors preflight": Case("text", "OPTIONS", headers={
        "Origin": "https://a.example", "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "content-type, authorization"}),
    "cors preflight other": Case("text", "OPTIONS", headers={
        "Origin": "https://evil.example", "Access-Control-Request-Method": "POST"}),
    # -- decorated --
    "array": Case("schema", body=array([[1, 2], [3, 4]])),
    "array empty": Case("schema", body=array([])),
    "array ragged": Case("schema", body=array([[1, 2], [3]])),
    "array shape": Case("schema", body=array([[1, 2, 3]])),
    "array strings": Case("schema", body=array([["1", "2"]])),
    "array words": Case("schema", body=array([["a", "b"]])),
    "array null": Case("schema", body=array(None)),
    "array object": Case("schema", body=array({"a": 1})),
    "array nan": Case("schema", body=b'{"array": [[NaN, Infinity]]}'),
    "array big": Case("schema", body=b'{"array": [[1e308, 123456789012345678901234567890]]}'),
    "array large": Case("schema", body=array([[1.5, 2.5]] * 20_000)),
    "missing": Case("schema", body=b"{}"),
    "extra": Case("schema", body=b'{"array": [[1,2]], "other": 1}'),
    "duplicate": Case("schema", body=b'{"array": [[9,9]], "array": [[1,2]]}'),
    "optional": Case("schema", body=TIMES.encode()),
    "table bad column": Case("schema", body=b'{"array": [[1,2]], "table": [{"foo": 1}]}'),
    "table bad type": Case("schema", body=TIMES.replace('"age": 1', '"age": "x"').encode()),
    "standard": Case("schema", body=b'{"array": [[1,2]], "number": 7, "flag": true}'),
    "standard wrong": Case("schema", body=b'{"array": [[1,2]], "number": "seven"}'),
    "standard null": Case("schema", body=b'{"array": [[1,2]], "number": null}'),
    "schema get": Case("schema", "GET", "/score?array=[[1,2]]&number=3", headers={}),
    "schema get nothing": Case("schema", "GET", headers={}),
    "schema get bad": Case("schema", "GET", "/score?array=x", headers={}),
    "schema empty": Case("schema", body=b""),
    "schema bad json": Case("schema", body=b"{'a': 1}"),
    "schema truncated": Case("schema", body=b'{"array": [[1,2]'),
    "schema list": Case("schema", body=b"[[1,2]]"),
    "schema string": Case("schema", body=b'"x"'),
    "schema null": Case("schema", body=b"null"),
    "schema latin": Case("schema", body=b'{"array": [[1,2]], "x": "\xe4"}'),
    "schema utf-16": Case("schema", body='{"array": [[1,2]]}'.encode("utf-16")),
    "schema bom": Case("schema", body=b'\xef\xbb\xbf{"array": [[1,2]]}'),
    "schema no type": Case("schema", body=array([[1, 2]]), headers={}),
    "schema text type": Case("schema", body=array([[1, 2]]), headers={"Content-Type": "text/plain"}),
    "schema charset": Case("schema", body=array([[1, 2]]), headers={"Content-Type": "application/json; charset=utf-8"}),
    "schema suffix": Case("schema", body=array([[1, 2]]), headers={"Content-Type": "application/x+json"}),
    "schema form": Case("schema", body=b"array=[[1,2]]", headers=FORM),
    "schema deep": Case("schema", body=b'{"array": ' + b"[" * 5000 + b"]" * 5000 + b"}"),
    "nested": Case("nested", body=b'{"payload": {"name": "y", "array": [[1, 2]], "items": [{"a": 1}, {"a": 2}]}}'),
    "nested missing": Case("nested", body=b'{"payload": {"name": "y"}}'),
    "nested wrong": Case("nested", body=b'{"payload": {"name": "y", "array": "x", "items": []}}'),
    "nested no object": Case("nested", body=b'{"payload": [1]}'),
    # -- raw --
    "raw": Case("raw", body=bytes(range(256)), headers={"Content-Type": "application/octet-stream"}),
    "raw empty": Case("raw", body=b"", headers={}),
    **{f"raw {what}": Case("raw", "POST", f"/score?what={what}", b"{}")
       for what in ("text", "json", "none", "failed", "plain", "getjson", "other")},
    **{f"raw status {code}": Case("raw", "POST", f"/score?what=status&code={code}", b"{}")
       for code in (201, 204, 302, 400, 404, 418, 500, 599)},
    "raw get": Case("raw", "GET", "/score?what=plain&x=%20y", headers={}),
    "raw options": Case("raw", "OPTIONS", "/score?what=plain", headers={}),
    "raw put": Case("raw", "PUT", "/score?what=plain", b"{}"),
    "raw delete": Case("raw", "DELETE", "/score?what=plain", headers={}),
    "raw bad json": Case("raw", "POST", "/score?what=getjson", b"{"),
    "raw request": Case("raw", "POST", "/score?what=request&a=1&a=2", b"{}"),
    "raw form": Case("raw", "POST", "/score?what=request", b"a=1&b=%20", FORM),
    "raw files": Case("raw", "POST", "/score?what=files", MULTIPART, {"Content-Type": "multipart/form-data; boundary=b"}),
    "raw headers": Case("raw", "GET", "/score?what=headers", headers={"x-one-two": "a", "X-Three": "b, c"}),
}  # fmt: skip

IDS = {"x-request-id", "x-ms-request-id"}
CORS = {"access-control-allow-origin", "vary"}
# What differs, by the name of its reason in docs/serving.md, and in which parts of the answer.
DIFFERENCES: dict[str, dict[str, set[str]]] = {
    "Ids on every answer": {
        **dict.fromkeys(("health post", "not found", "not found trailing slash", "not found case", "delete", "put", "patch", "swagger post", "ids on errors", "raw put", "raw delete"), IDS | CORS)
    },
    "Scoring timeout is 504": {"text returns sleep": {"status"}},
    "Undecodable JSON is the client's error": {"schema latin": {"status", "body"}, "schema deep": {"status", "body"}},
    "Form bodies reach run()": {"text form": {"body"}, "text multipart": {"body"}},
    "Input that does not fit the schema is the client's error": {
        name: {"status", "body", "x-ms-run-function-failed"}
        for name in ("array empty", "array ragged", "array shape", "array words", "array null", "array object",
                     "table bad column", "table bad type", "standard wrong", "schema get bad", "nested wrong",
                     "nested no object")
    },
    "HEAD is GET without a body": {"head score": {"status"}},
    "An exception that stands for an answer is it": {
        "raw bad json": {"status", "body", "x-ms-run-function-failed"},
    },
    "Paths are taken as they are": {"double slash": {"status", "body"}},
    "Swagger tells the truth": {
        **{f"swagger {s} {v}": {"body"} for s in SCRIPTS for v in ("2", "2.0", "3", "3.0", "3.1")},
        "swagger": {"body"},
        "swagger two versions": {"body"},
    },
}  # fmt: skip
