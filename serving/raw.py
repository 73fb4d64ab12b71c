"""`AMLRequest`, `AMLResponse` and `rawhttp` for scripts that speak HTTP themselves (on Werkzeug's objects).

Entry scripts import them by v1's names: `azureml.contrib.services.aml_request` or
`azureml_inference_server_http.api.aml_request` (see `shims/`).
"""

from __future__ import annotations

import io
import json
import re
import sys
from collections.abc import Callable, Mapping
from typing import Any, TypeVar, cast
from urllib.parse import unquote_to_bytes

from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Response as WerkzeugResponse

from serving import wsgi
from serving.messages import Request, Response, error
from serving.streaming import Stream

_FIRST_STATUS, _LAST_STATUS = 200, 599
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_OURS = frozenset(
    (
        "connection",
        "content-length",
        "date",
        "keep-alive",
        "server",
        "trailer",
        "transfer-encoding",
        "upgrade",
    )
)
_Function = TypeVar("_Function", bound=Callable[..., Any])

_rawHttpRequested = False  # noqa: N816 (the name Microsoft's packages use)


class ResponseError(Exception):
    """What the script returned is no response that could be sent."""


def rawhttp(function: _Function) -> _Function:
    """Mark `run()`: it takes an `AMLRequest` and may return an `AMLResponse`."""
    global _rawHttpRequested  # noqa: PLW0603
    _rawHttpRequested = True
    return function


class AMLRequest(wsgi.Base):
    """The HTTP request: `method`, `args`, `headers`, `get_data()`, `get_json()`, `form`, `files`, …"""


class AMLResponse(WerkzeugResponse):
    """An HTTP response with its own status and headers."""

    default_mimetype = "text/html"

    def __init__(
        self,
        message: Any,
        status_code: int,
        response_headers: Mapping[str, str] | None = None,
        json_str: bool = False,
        run_function_failed: bool = False,
    ) -> None:
        """Build a response.

        Args:
            message: text or bytes of the body; with `json_str` any JSON value; None is an empty JSON object.
            status_code: the HTTP status.
            response_headers: more headers; a value with commas becomes one header for each part.
            json_str: write `message` as JSON.
            run_function_failed: tells the client that the script failed.
        """
        given = dict(response_headers or {})
        if message is None or json_str:
            text = json.dumps({} if message is None else message)
            super().__init__(text, status=status_code, mimetype="application/json")
        else:
            super().__init__(message, status=status_code)
            if "Content-Type" in given:
                self.headers.remove("Content-Type")
        self.headers["x-ms-run-function-failed"] = str(run_function_failed)
        for name, value in given.items():
            for part in value.split(","):
                self.headers.add(name, part.strip())


def request_object(request: Request) -> AMLRequest:
    """What a raw `run()` takes."""
    scheme = wsgi.scheme(request)
    host, _, port = (request.header(b"host") or "localhost").rpartition(":")
    environ: dict[str, Any] = {
        "REQUEST_METHOD": request.method,
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote_to_bytes(request.target.partition(b"?")[0]).decode("latin-1"),
        "QUERY_STRING": request.query.decode("latin-1"),
        "RAW_URI": request.target.decode("latin-1"),
        "REQUEST_URI": request.target.decode("latin-1"),
        "REMOTE_ADDR": request.peer,
        "SERVER_NAME": host or port,
        "SERVER_PORT": port if host and port.isdigit() else ("443" if scheme == "https" else "80"),
        "SERVER_PROTOCOL": f"HTTP/{request.version}",
        "CONTENT_LENGTH": str(len(request.body)),
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": scheme,
        "wsgi.input": io.BytesIO(request.body),
        "wsgi.input_terminated": True,
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": False,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }
    for raw_name, value in request.headers.items():
        name = raw_name.decode("latin-1").upper().replace("-", "_")
        # A header with an underscore could pose as another one.
        if b"_" in raw_name or name == "CONTENT_LENGTH":
            continue
        environ[name if name == "CONTENT_TYPE" else f"HTTP_{name}"] = value.decode("latin-1")
    return AMLRequest(environ)


def http_error(problem: BaseException) -> Response | None:
    """The answer for an exception that stands for one; None for others, and for those without an error's status."""
    if not isinstance(problem, HTTPException):
        return None
    if problem.response is not None:
        return convert(problem.response)
    status = problem.code or 0
    if not 400 <= status <= _LAST_STATUS:
        return None
    return error(status, problem.description or "", failed=status >= 500)


def _bytes(piece: object) -> bytes:
    if isinstance(piece, str):
        return piece.encode()
    if isinstance(piece, (bytes, bytearray, memoryview)):
        return bytes(cast("bytes", piece))
    raise TypeError(f"a response of pieces needs text or bytes, not {type(piece).__name__}")


def is_response(value: object) -> bool:
    """Whether a script returned an HTTP response: ours, Flask's or Werkzeug's."""
    return all(hasattr(value, name) for name in ("status_code", "headers", "get_data"))


def convert(value: Any) -> Response:
    """The response to send for what a script returned.

    Raises:
        ResponseError: a status or a header that HTTP does not have.
    """
    status = value.status_code
    if not isinstance(status, int) or not _FIRST_STATUS <= status <= _LAST_STATUS:
        raise ResponseError(
            f"the response of run() has the status {status!r}; {_FIRST_STATUS} to {_LAST_STATUS} are allowed"
        )
    # Items of Werkzeug's headers keep their order and repetitions.
    headers = [(str(k), str(v)) for k, v in value.headers.items() if str(k).lower() not in _OURS]
    for name, _ in headers:
        if not _TOKEN.fullmatch(name):
            raise ResponseError(f"the response of run() has a header named {name!r}")
    if status >= 500:
        headers = [h for h in headers if h[0].lower() != "x-ms-run-function-failed"]
        headers.append(("x-ms-run-function-failed", "True"))
    if getattr(value, "is_streamed", False):
        pieces = value.response if getattr(value, "direct_passthrough", False) else value.iter_encoded()
        return Response(status, b"", headers, stream=Stream(iter(pieces), _bytes, value.close))
    body = bytes(value.get_data())
    close = getattr(value, "close", None)
    if close is not None:
        close()
    return Response(status, body, headers)
