"""The entry script: found, checked, started, and called the way `run()` is declared."""

from __future__ import annotations

import codecs
import importlib.util
import inspect
import json
import sys
from collections.abc import Callable
from enum import Enum
from pathlib import Path
from types import ModuleType
from typing import Any, cast
from urllib.parse import parse_qsl

from serving import conversion
from serving.messages import Request

_RECORDS = "records"
"""What PandasParameterType takes and describes by default."""

try:
    import msgspec

    _decode: Callable[[bytes], Any] | None = msgspec.json.Decoder().decode
except ImportError:  # an environment made before it was asked for
    _decode = None


class ScriptError(Exception):
    """The script is not one that can be served; the message says what is missing."""


class InputError(Exception):
    """The client's request cannot be given to `run()`."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class Style(Enum):
    """What `run()` takes."""

    RAW = "the HTTP request (@rawhttp)"
    SCHEMA = "the parameters of its @input_schema decorators"
    TEXT = "the body as a JSON string"


class Script:
    """A loaded entry script."""

    def __init__(self, path: str) -> None:
        """Import the script.

        Raises:
            ScriptError: no `init()` or `run()`, or a `run()` that cannot be called.
            BaseException: whatever the script raises.
        """
        self.path = path
        module = _import(path)
        conversion.install()
        for name in ("init", "run"):
            if not callable(getattr(module, name, None)):
                raise ScriptError(f"{path}: no {name}() function is defined")
        # Azure's SDKs wrap some scripts in a driver module, whose run() does not pass on schema parameters.
        driver = getattr(module, "driver_module", None)
        inner = driver if isinstance(driver, ModuleType) and hasattr(driver, "run") else module
        self.init: Callable[[], object] = module.init
        self.run: Callable[..., object] = inner.run
        batch = getattr(inner, "run_batch", None)
        self.run_batch: Callable[[list[Any]], object] | None = batch if callable(batch) else None
        self.batch_parameter = next(iter(inspect.signature(batch).parameters), "") if callable(batch) else ""
        declared = getattr(inner, "BATCHING", None)
        self.batching: dict[str, Any] = cast("dict[str, Any]", declared) if isinstance(declared, dict) else {}
        self.decorated = _is_decorated(self.run)
        self.frame_orient = _frame_orient(self.run) if self.decorated else _RECORDS
        self._analyse()

    def _analyse(self) -> None:
        parameters = list(inspect.signature(self.run).parameters.values())
        allowed = (inspect.Parameter.KEYWORD_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
        if any(p.kind not in allowed for p in parameters):
            raise ScriptError(
                f"{self.path}: run() must not have positional-only parameters, *args or **kwargs"
            )
        self.wants_headers = any(p.name == "request_headers" for p in parameters)
        self.parameters = [p for p in parameters if p.name != "request_headers"]
        self._expected = [(p.name, p.default) for p in self.parameters]
        if not self.parameters:
            raise ScriptError(f"{self.path}: run() needs a parameter for the input data")
        raw = _is_raw()
        if raw and self.decorated:
            raise ScriptError(f"{self.path}: run() has both @rawhttp and @input_schema; only one is allowed")
        if raw:
            self.run = _raw_view(self.run, self.parameters[0].name)
        self.style = Style.RAW if raw else Style.SCHEMA if self.decorated else Style.TEXT
        self._convert = {
            Style.RAW: self._raw_arguments,
            Style.SCHEMA: self._schema_arguments,
            Style.TEXT: self._text_arguments,
        }[self.style]

    def arguments(self, request: Request) -> dict[str, Any]:
        """The keyword arguments of `run()` for a request.

        Raises:
            InputError: the body is not what the script takes.
        """
        given = self._convert(request)
        if self.wants_headers:
            given["request_headers"] = title_headers(request)
        return given

    def _raw_arguments(self, request: Request) -> dict[str, Any]:
        from serving import raw

        return {self.parameters[0].name: raw.request_object(request)}

    def _text_arguments(self, request: Request) -> dict[str, Any]:
        if request.method in ("GET", "HEAD"):
            return {self.parameters[0].name: json.dumps(query_values(request.query))}
        try:
            return {self.parameters[0].name: request.body.decode("utf-8")}
        except UnicodeDecodeError as problem:
            raise InputError(400, f"Input cannot be decoded as UTF-8: {problem}") from None

    def _schema_arguments(self, request: Request) -> dict[str, Any]:
        values: Any
        if request.method in ("GET", "HEAD"):
            values = query_values(request.query)
        else:
            if request.headers.get(b"content-type") != _JSON and not _is_json(
                request.header(b"content-type")
            ):
                raise InputError(415, "Expects Content-Type to be application/json")
            try:
                values = loads(request.body)
            except (ValueError, RecursionError) as problem:
                if not request.body:
                    raise InputError(400, "POST body is empty. Expecting a JSON dictionary.") from None
                raise InputError(400, f"POST body could not be decoded as JSON: {problem}") from None
            if not isinstance(values, dict):
                raise InputError(400, "POST body should be a JSON dictionary.")
        given: dict[str, Any] = {}
        for name, default in self._expected:
            value = cast("dict[str, Any]", values).get(name, default)
            if value is inspect.Parameter.empty:
                raise InputError(400, f"A value is not provided for the {name!r} parameter.")
            given[name] = value
        return given


def _import(path: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location("entry_module", path)
    if spec is None or spec.loader is None:
        raise ScriptError(f"{path}: not a Python file")
    if not Path(path).is_file():
        raise ScriptError(f"{path}: no such entry script")
    module = importlib.util.module_from_spec(spec)
    # pickle and multiprocessing find a script's own classes by this name.
    sys.modules["entry_module"] = module
    spec.loader.exec_module(module)
    return module


def _is_decorated(function: Callable[..., object]) -> bool:
    # Only a script that imported it can have decorated anything, and the import is not free.
    if "inference_schema.schema_decorators" not in sys.modules:
        return False
    from inference_schema import schema_util  # pyright: ignore[reportMissingTypeStubs]

    return bool(cast("Any", schema_util).is_schema_decorated(function))


def _frame_orient(run: Callable[..., object]) -> str:
    """How the script's `@output_schema` says that a DataFrame is written: inference-schema keeps it in the format."""
    from inference_schema import schema_util  # pyright: ignore[reportMissingTypeStubs]

    described = str(cast("Any", schema_util).get_output_schema(run).get("format", ""))
    kind, _, orient = described.partition(":")
    return orient if kind == "pandas.DataFrame" and orient else _RECORDS


def _raw_view(run: Callable[..., object], parameter: str) -> Callable[..., object]:
    """A raw `run()` with the context that Flask's `request` needs."""
    from serving import raw, wsgi

    return wsgi.in_context(run, parameter, raw.AMLRequest)


def _is_raw() -> bool:
    """Whether the script used `@rawhttp`, of whichever package."""
    names = (
        "azureml_inference_server_http.api.aml_request",
        "azureml.contrib.services.aml_request",
        "serving.raw",
    )
    loaded = [sys.modules[name] for name in names if name in sys.modules]
    return any(getattr(module, "_rawHttpRequested", False) for module in loaded)


_JSON = b"application/json"


def loads(body: bytes) -> Any:
    """`json.loads`, faster where the body is strict JSON in UTF-8; for the rest and for errors Python's own."""
    if _decode is not None:
        try:
            return _decode(body)
        except (ValueError, RecursionError):
            return json.loads(body)
    return json.loads(body)


def _is_json(content_type: str) -> bool:
    mimetype = content_type.partition(";")[0].strip().lower()
    return mimetype == "application/json" or (
        mimetype.startswith("application/") and mimetype.endswith("+json")
    )


def _requote(problem: UnicodeError) -> tuple[str, int]:
    """Leave what is not UTF-8 as it was in the URL."""
    assert isinstance(problem, UnicodeDecodeError)
    return "".join(f"%{byte:02X}" for byte in problem.object[problem.start : problem.end]), problem.end


codecs.register_error("serving.requote", _requote)


def query_values(query: bytes) -> dict[str, Any]:
    """`?a=1&b=[1,2]&c=x&c=y` as `{"a": 1, "b": [1, 2], "c": ["x", "y"]}`: JSON where it is JSON."""
    pairs = parse_qsl(query.decode("latin-1"), keep_blank_values=True, errors="serving.requote")
    found: dict[str, list[Any]] = {}
    for name, text in pairs:
        try:
            value: Any = json.loads(text)
        except (ValueError, RecursionError):
            value = text
        found.setdefault(name, []).append(value)
    return {name: values[0] if len(values) == 1 else values for name, values in found.items()}


def title_headers(request: Request) -> dict[str, str]:
    """Headers as WSGI servers name them: `X-Ms-Request-Id`."""
    return {
        name.decode("latin-1").title(): value.decode("latin-1") for name, value in request.headers.items()
    }
