"""The HTTP contract that v1's clients and scripts rely on."""

from __future__ import annotations

import json
import socket
import textwrap
import uuid
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

import pandas as pd
import pytest
from inference_schema import schema_util

from serving.execution import json_answer
from serving.script import Script
from tests.serving.replica import TEXT_SCRIPT, Replica

SCHEMA_SCRIPT = """
    import numpy as np
    import pandas as pd
    from inference_schema.schema_decorators import input_schema, output_schema
    from inference_schema.parameter_types.numpy_parameter_type import NumpyParameterType
    from inference_schema.parameter_types.pandas_parameter_type import PandasParameterType
    from inference_schema.parameter_types.standard_py_parameter_type import StandardPythonParameterType

    def init():
        pass

    @input_schema("data", NumpyParameterType(np.array([[1.0, 2.0]])))
    @input_schema("table", PandasParameterType(pd.DataFrame([{"a": 1, "b": "x"}])), optional=True)
    @input_schema("scale", StandardPythonParameterType(1.5), optional=True)
    @output_schema(StandardPythonParameterType({"sums": [1.0]}))
    def run(data, table=None, scale=1.0):
        columns = None if table is None else list(table.columns)
        return {"type": type(data).__name__, "sums": (data.sum(axis=1) * scale).tolist(), "columns": columns}
"""

RAW_SCRIPT = """
    from azureml.contrib.services.aml_request import AMLRequest, rawhttp
    from azureml.contrib.services.aml_response import AMLResponse

    def init():
        pass

    @rawhttp
    def run(request):
        assert isinstance(request, AMLRequest)
        if request.method == "OPTIONS":
            return {"plain": True}
        if request.args.get("fail"):
            return AMLResponse("no", int(request.args["fail"]))
        body = request.get_data()
        headers = {"Content-Type": "image/png", "X-Two": "one, two", "X-Len": str(len(body))}
        return AMLResponse(body[::-1], 201, headers)
"""


@pytest.fixture(scope="module")
def text(shared_replica: Callable[..., Replica]) -> Replica:
    return shared_replica(TEXT_SCRIPT)


@pytest.fixture(scope="module")
def schema(shared_replica: Callable[..., Replica]) -> Replica:
    return shared_replica(SCHEMA_SCRIPT)


@pytest.fixture(scope="module")
def raw(shared_replica: Callable[..., Replica]) -> Replica:
    return shared_replica(RAW_SCRIPT)


def test_health_says_healthy(text: Replica) -> None:
    answer = text.request("/")
    assert (answer.status, answer.body) == (200, b"Healthy")
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    assert text.request("/livez").status == text.request("/readyz").status == 200


@pytest.mark.parametrize("path", ["/score", "/api/v1/service/churn/score", "/%73core"])
def test_score_answers_on_both_forms_of_the_url(text: Replica, path: str) -> None:
    answer = text.request(path, '{"a": 1}')
    assert answer.status == 200
    assert answer.json["got"] == {"a": 1}
    assert answer.headers["Content-Type"] == "application/json"
    assert float(answer.headers["x-ms-run-fn-exec-ms"]) >= 0
    assert answer.headers["x-ms-run-function-failed"] == "False"


@pytest.mark.parametrize(
    "path",
    ["/nothing", "/score/", "//score", "/api/v1/service/other/score", "/api/v1/service/churnscore", "/Score"],
)
def test_other_paths_are_not_found(text: Replica, path: str) -> None:
    answer = text.request(path)
    assert answer.status == 404
    assert "not found" in answer.json["message"]


def test_undecorated_run_takes_the_body_as_text(replica: Callable[..., Replica]) -> None:
    one = replica("def init(): pass\ndef run(whatever): return [type(whatever).__name__, whatever]")
    assert one.request("/score", "not json").json == ["str", "not json"]
    assert one.request("/score?a=1&b=[1,2]&c=x&c=y&d").json == [
        "str",
        '{"a": 1, "b": [1, 2], "c": ["x", "y"], "d": ""}',
    ]
    answer = one.request("/score", b"\xff\xfe")
    assert answer.status == 400
    assert "cannot be decoded as UTF-8" in answer.json["message"]


def test_decorated_run_takes_its_parameters(schema: Replica) -> None:
    answer = schema.score({"data": [[1, 2], [3, 4]], "unknown": 1})
    assert answer.json == {"type": "ndarray", "sums": [3.0, 7.0], "columns": None}
    answer = schema.score({"data": [[1, 2]], "table": [{"a": 5, "b": "y"}], "scale": 2})
    assert answer.json == {"type": "ndarray", "sums": [6.0], "columns": ["a", "b"]}
    assert schema.request("/score?data=[[1,2]]").json["sums"] == [3.0]


@pytest.mark.parametrize(
    ("body", "kind", "status", "message"),
    [
        (b"{", "application/json", 400, "could not be decoded as JSON"),
        (b"", "application/json", 400, "POST body is empty"),
        (b"[1]", "application/json", 400, "should be a JSON dictionary"),
        (b"{}", "application/json", 400, "A value is not provided for the 'data' parameter."),
        (b'{"data": [[1,2]]}', "text/plain", 415, "Expects Content-Type to be application/json"),
        (b"[" * 100_000, "application/json", 400, "could not be decoded as JSON"),
        (b'{"data": "text"}', "application/json", 400, "The input does not fit the schema of run(): "),
    ],
)
def test_bad_input_is_said_to_be_bad(
    schema: Replica, body: bytes, kind: str, status: int, message: str
) -> None:
    answer = schema.request("/score", body, {"Content-Type": kind})
    assert answer.status == status
    assert message in answer.json["message"]
    assert answer.headers["x-ms-run-function-failed"] == "False"


def test_json_types_with_a_suffix_and_charsets_are_json(schema: Replica) -> None:
    for kind in ("application/json; charset=utf-8", "application/vnd.api+json", "APPLICATION/JSON"):
        assert schema.request("/score", b'{"data": [[1,2]]}', {"Content-Type": kind}).status == 200
    utf16 = '{"data": [[1, NaN]]}'.encode("utf-16")
    assert schema.request("/score", utf16, {"Content-Type": "application/json"}).body.count(b"NaN") == 1


def test_swagger_in_every_version(schema: Replica) -> None:
    assert schema.request("/swagger.json").json["swagger"] == "2.0"
    assert schema.request("/swagger.json?version=3").json["openapi"] == "3.0.3"
    modern = schema.request("/api/v1/service/churn/swagger.json?version=3.1").json
    assert modern["openapi"] == "3.1.0"
    assert "/api/v1/service/churn/score" in modern["paths"]
    example = modern["components"]["schemas"]["ServiceInput"]["example"]
    assert example == {"data": [[1.0, 2.0]], "table": [{"a": 1, "b": "x"}], "scale": 1.5}
    answer = schema.request("/swagger.json?version=4")
    assert answer.status == 404
    assert "Supported versions: [2, 3, 3.1]" in answer.json["message"]


def test_swagger_files_beside_the_script_win(replica: Callable[..., Replica]) -> None:
    own = {"openapi": "3.0.0", "paths": {"/own": {}}}
    files = {"source/swagger3.json": json.dumps(own), "source/swagger3.1.json": '"any JSON"'}
    environ = {"SERVICE_PATH_PREFIX": "/outside/", "SERVER_VERSION_LOG_RESPONSE_ENABLED": "false"}
    one = replica(TEXT_SCRIPT, files=files, environ=environ)
    assert one.request("/swagger.json?version=3").json == own
    assert one.request("/swagger.json?version=3.1").json == "any JSON"
    answer = one.request("/swagger.json")
    assert answer.json["swagger"] == "2.0"
    assert set(answer.json["paths"]) == {"/outside/", "/outside/score", "/outside/swagger.json"}
    assert "x-ms-server-version" not in answer.headers


def test_raw_scripts_get_the_request_and_give_the_response(raw: Replica) -> None:
    answer = raw.request("/score", b"\x00\xffabc")
    assert (answer.status, answer.body) == (201, b"cba\xff\x00")
    assert answer.headers["Content-Type"] == "image/png"
    assert answer.headers["X-Len"] == "5"
    assert answer.headers["X-Two"] in ("one", "two")  # two headers of one name
    assert raw.request("/score", b"x", method="OPTIONS").json == {"plain": True}


def test_raw_errors_say_that_the_script_failed(raw: Replica) -> None:
    assert raw.request("/score?fail=503").headers["x-ms-run-function-failed"] == "True"
    assert raw.request("/score?fail=404").headers["x-ms-run-function-failed"] == "False"


def test_both_names_of_the_raw_package_are_there(replica: Callable[..., Replica]) -> None:
    script = """
        from azureml_inference_server_http.api.aml_request import AMLRequest, rawhttp
        from azureml_inference_server_http.api.aml_response import AMLResponse
        from azureml.contrib.services.aml_request import AMLRequest as Other

        def init():
            assert AMLRequest is Other

        @rawhttp
        def run(request):
            form = sorted(request.form.items()), [f.filename for f in request.files.values()]
            return {"json": request.get_json(silent=True), "form": form, "path": request.path}
    """
    one = replica(script)
    answer = one.request("/score", b'{"a": 1}', {"Content-Type": "application/json"})
    assert answer.json == {"json": {"a": 1}, "form": [[], []], "path": "/score"}
    form = b'--b\r\nContent-Disposition: form-data; name="f"; filename="x.png"\r\n\r\nabc\r\n--b--\r\n'
    answer = one.request("/score", form, {"Content-Type": "multipart/form-data; boundary=b"})
    assert answer.json["form"] == [[], ["x.png"]]


def test_request_headers_are_given_when_asked_for(replica: Callable[..., Replica]) -> None:
    one = replica("def init(): pass\ndef run(data, request_headers): return request_headers['X-Tenant']")
    assert one.request("/score", "{}", {"x-tenant": "blue"}).json == "blue"


def test_ids_come_back(text: Replica) -> None:
    first = text.score({}).headers
    assert uuid.UUID(first["x-request-id"])
    assert first["x-ms-request-id"] == first["x-request-id"]
    sent = {"x-request-id": "r1", "x-ms-client-request-id": "c1", "TraceId": "t1"}
    answer = text.request("/score", "{}", sent).headers
    assert (answer["x-request-id"], answer["x-ms-client-request-id"], answer["TraceId"]) == ("r1", "c1", "t1")
    assert answer["x-ms-request-id"] == "c1"
    assert text.request("/", headers={"x-ms-request-id": "old"}).headers["x-ms-client-request-id"] == "old"
    assert text.request("/", headers={"x-request-id": "x" * 101}).status == 431


def test_methods(text: Replica) -> None:
    assert text.request("/score", method="OPTIONS").status == 200
    answer = text.request("/score", b"", method="DELETE")
    assert (answer.status, answer.headers["Allow"]) == (405, "GET, HEAD, POST, OPTIONS")
    assert text.request("/", b"", method="POST").status == 405
    head = text.request("/", method="HEAD")
    assert (head.status, head.body, head.headers["Content-Length"]) == (200, b"", "7")


def test_results_that_are_no_json_are_an_internal_error(replica: Callable[..., Replica]) -> None:
    one = replica(
        "def init(): pass\ndef run(data): return {'none': None, 'set': {1}, 'nan': float('nan')}[data]"
    )
    assert one.request("/score", "none").body == b"{}"
    answer = one.request("/score", "set")
    assert (answer.status, answer.headers["x-ms-run-function-failed"]) == (500, "False")
    assert one.request("/score", "nan").body == b"NaN"


def test_a_header_with_a_line_break_is_not_sent(replica: Callable[..., Replica]) -> None:
    script = """
        class Answer:
            status_code = 200
            headers = {"X-Bad": "a\\r\\nSet-Cookie: b"}
            def get_data(self):
                return b"x"
        def init(): pass
        def run(data): return Answer()
    """
    one = replica(script)
    answer = one.score({})
    assert answer.status == 500
    assert "Set-Cookie" not in answer.headers
    assert one.score({}).status == 500


def test_get_model_path(replica: Callable[..., Replica]) -> None:
    script = """
        import os
        from azureml.core.model import Model
        from azureml.core import Model as Same

        def init():
            assert Model is Same

        def run(data):
            found = {"dir": os.environ["AZUREML_MODEL_DIR"], "path": Model.get_model_path(data)}
            found["first"] = Model.get_model_path(data, version=2)
            for name in ("get_model_path", "register"):
                try:
                    getattr(Model, name)("nobody")
                except (AttributeError, FileNotFoundError) as problem:
                    found[name] = str(problem)
            return found
    """
    files = {
        "azureml-models/a/10/model.pkl": "ten",
        "azureml-models/a/2/model.pkl": "two",
        "azureml-models/b/1/folder/x": "x",
    }
    one = replica(script, files=files)
    root = one.folder / "azureml-models"
    answer = one.request("/score", "a").json
    assert answer["dir"] == str(root)
    assert (answer["path"], answer["first"]) == (str(root / "a/10/model.pkl"), str(root / "a/2/model.pkl"))
    assert "nobody is not deployed" in answer["get_model_path"]
    assert "a/10" in answer["get_model_path"]
    assert "azureml-core" in answer["register"]
    single = replica(script.replace(", version=2", ""), files=files, model_dir=str(root / "b/1"))
    Path(
        single.config["model_dir"]
    )  # AZUREML_MODEL_DIR of one model points into the tree of another replica here
    assert single.request("/score", "b").json["path"] == str(root / "b/1/folder")


def test_cors_only_for_the_origins_named(replica: Callable[..., Replica]) -> None:
    one = replica(TEXT_SCRIPT, environ={"AML_CORS_ORIGINS": "https://a.example, https://b.example"})
    allowed = one.score({}, Origin="https://a.example")
    assert allowed.headers["Access-Control-Allow-Origin"] == "https://a.example"
    assert "Access-Control-Allow-Origin" not in one.score({}, Origin="https://evil.example").headers
    asked = {"Origin": "https://a.example", "Access-Control-Request-Method": "POST"}
    preflight = one.request("/score", headers=asked, method="OPTIONS")
    assert (preflight.status, preflight.headers["Access-Control-Allow-Methods"]) == (200, "GET, POST")


def test_the_private_socket_answers(text: Replica) -> None:
    with socket.socket(socket.AF_UNIX) as sock:
        sock.connect(text.config["http_socket"])
        sock.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        data = b""
        while chunk := sock.recv(4096):
            data += chunk
    assert data.startswith(b"HTTP/1.1 200 OK\r\n")
    assert data.endswith(b"Healthy")
    assert Path(text.config["http_socket"]).stat().st_mode & 0o777 == 0o600


def test_metrics(replica: Callable[..., Replica]) -> None:
    one = replica(TEXT_SCRIPT, workers=2)
    for _ in range(5):
        one.score({})
    one.score({"raise": "x"})
    lines = one.request("/metrics").body.decode().splitlines()
    assert 'serving_requests_total{code="200"} 5' in lines
    assert 'serving_requests_total{code="500"} 1' in lines
    assert "serving_run_failures_total 1" in lines
    assert 'serving_request_seconds_bucket{le="+Inf"} 6' in lines
    assert 'serving_model_info{service="churn",model="churn",version="7"} 1' in lines
    assert "serving_requests_in_flight 0" in lines


def test_a_script_and_the_setting_do_not_both_answer_browsers(replica: Callable[..., Replica]) -> None:
    script = """
        from azureml.contrib.services.aml_request import AMLRequest, rawhttp
        from azureml.contrib.services.aml_response import AMLResponse

        def init(): pass

        @rawhttp
        def run(request):
            return AMLResponse("x", 200, {"access-control-allow-origin": "*", "Vary": "Accept"})
    """
    one = replica(script, environ={"AML_CORS_ORIGINS": "https://a.example, https://b.example"})
    head = b"GET /score HTTP/1.1\r\nHost: x\r\nConnection: close\r\nOrigin: https://%s.example\r\n\r\n"
    allowed = one.raw(head % b"a")
    assert allowed.lower().count(b"access-control-allow-origin") == 1
    assert b"Access-Control-Allow-Origin: https://a.example\r\n" in allowed
    assert allowed.count(b"Vary: ") == 2
    # Who may call is the setting's to say, not the script's.
    assert b"access-control-allow-origin" not in one.raw(head % b"c").lower()
    without = replica(script)
    assert without.raw(head % b"c").count(b"access-control-allow-origin: *\r\n") == 1


ANSWERS = """
    from azureml.contrib.services.aml_request import AMLRequest, rawhttp
    from azureml.contrib.services.aml_response import AMLResponse
    from werkzeug.exceptions import abort

    def init(): pass

    @rawhttp
    def run(request):
        if "status" in request.args:
            return AMLResponse("body", eval(request.args["status"]), {request.args.get("name", "X-A"): "v"})
        if "abort" in request.args:
            abort(int(request.args["abort"]))
        return [request.method, request.get_json()["a"], request.form["b"]]
"""


@pytest.fixture(scope="module")
def answers(shared_replica: Callable[..., Replica]) -> Replica:
    return shared_replica(ANSWERS)


@pytest.mark.parametrize(
    "status", ["99", "'abc'", "100", "101", "103", "0", "-1", "600", "1000", "'99 x'", "None"]
)
def test_a_status_that_would_break_the_framing_is_the_scripts_error(answers: Replica, status: str) -> None:
    client = answers.client()
    answer = answers.request(f"/score?status={status.replace(' ', '%20')}", client=client)
    if status == "None":  # Werkzeug's default
        assert (answer.status, answer.body) == (200, b"body")
    else:
        assert (answer.status, answer.headers["x-ms-run-function-failed"]) == (500, "True")
    assert answers.request("/", client=client).body == b"Healthy"
    client.close()


@pytest.mark.parametrize("status", [200, 204, 205, 299, 304, 404, 599])
def test_other_statuses_keep_the_connection_in_step(answers: Replica, status: int) -> None:
    client = answers.client()
    assert answers.request(f"/score?status={status}", client=client).status == status
    assert answers.request("/", client=client).body == b"Healthy"
    client.close()


@pytest.mark.parametrize("name", ["", "a b", "a:b", "x\u00e4", "(a)"])
def test_a_header_name_that_is_none_is_the_scripts_error(answers: Replica, name: str) -> None:
    assert answers.request(f"/score?status=200&name={quote(name)}").status == 500


def test_exceptions_that_stand_for_an_answer_are_it(answers: Replica) -> None:
    answer = answers.request("/score", b"{", {"Content-Type": "application/json"})
    assert (answer.status, answer.headers["x-ms-run-function-failed"]) == (400, "False")
    assert "Failed to decode JSON object" in answer.json["message"]
    assert answers.request("/score", b"{}", {"Content-Type": "text/plain"}).status == 415
    assert (
        answers.request("/score", b'{"a": 1}', {"Content-Type": "application/json"}).status == 400
    )  # the form
    assert answers.request("/score?abort=404").status == 404
    assert answers.request("/score?abort=503").headers["x-ms-run-function-failed"] == "True"
    assert answers.request("/score", b"[]", {"Content-Type": "application/json"}).status == 500


def test_head_runs_the_script_and_sends_no_body(text: Replica, answers: Replica) -> None:
    head = text.request("/score?a=1", method="HEAD")
    assert (head.status, head.body) == (200, b"")
    assert head.headers["Content-Length"] == text.request("/score?a=1").headers["Content-Length"]
    assert answers.request("/score?status=201", method="HEAD").status == 201


TABLES = """
    import pandas as pd
    from inference_schema.schema_decorators import input_schema, output_schema
    from inference_schema.parameter_types.pandas_parameter_type import PandasParameterType

    SAMPLE = PandasParameterType(pd.DataFrame([{"a": 1, "b": "x"}]))

    def init(): pass

    @input_schema("table", SAMPLE)
    @output_schema(SAMPLE)
    def run(table):
        if table["b"][0] == "fail":
            return pd.DataFrame({"a": [1]})["no such column"]
        return table
"""


def test_tables_that_do_not_fit_are_the_clients_error(replica: Callable[..., Replica]) -> None:
    one = replica(TABLES)
    assert one.score({"table": [{"a": 5, "b": "y"}]}).json == [{"a": 5, "b": "y"}]
    for table in ([{"c": 1}], [{"a": "no number", "b": "y"}], 7, "text"):
        answer = one.score({"table": table})
        assert (answer.status, answer.headers["x-ms-run-function-failed"]) == (400, "False"), table
        assert answer.json["message"].startswith("The input does not fit the schema of run(): ")
    answer = one.score({"table": [{"a": 1, "b": "fail"}]})
    assert (answer.status, answer.headers["x-ms-run-function-failed"]) == (500, "True")


@pytest.mark.parametrize("orient", ["records", "split", "index", "columns", "values", "table"])
def test_a_frame_is_written_as_the_output_schema_says(tmp_path: Path, orient: str) -> None:
    # inference-schema knows functions by their names, and every script's is the same: one script a process.
    vars(schema_util)["__functions_schema__"].pop("entry_module.run", None)
    text = textwrap.dedent(TABLES).replace(
        "@output_schema(SAMPLE)",
        f"@output_schema(PandasParameterType(pd.DataFrame([{{'a': 1}}]), orient={orient!r}))",
    )
    (tmp_path / "score.py").write_text(text)
    frame = pd.DataFrame({"a": [1, 2], "day": [pd.Timestamp("2026-01-02"), None]})
    written = json_answer(frame, Script(str(tmp_path / "score.py")).frame_orient).body
    assert json.loads(written) == json.loads(frame.to_json(orient=orient, date_format="iso"))
    if orient == "split":
        assert json.loads(written)["columns"] == ["a", "day"]


@pytest.mark.parametrize("auth", [False, True])
def test_the_document_says_what_is_so(replica: Callable[..., Replica], auth: bool) -> None:
    one = replica(TEXT_SCRIPT, auth_enabled=auth, environ={"SERVICE_NAME": "other"})
    for version in ("2", "3", "3.1"):
        document = one.request(f"/swagger.json?version={version}").json
        assert document["info"]["title"] == "churn"
        assert "schemes" not in document  # the one by which the document was got
        paths = document["paths"]
        assert paths["/score"]["post"].get("security") == ([{"Bearer": []}] if auth else None)
        assert ("Bearer" in json.dumps(document)) is auth
        spec = paths["/swagger.json"]["get"]
        assert not spec.get("security")
        done = spec["responses"]["200"]
        assert (done if version == "2" else done["content"]["application/json"])["schema"] == {
            "type": "object"
        }
