"""Routes: which request gets what, who may ask, and what every answer carries."""

from __future__ import annotations

import os
import time
from enum import Enum
from urllib.parse import unquote, urlsplit

from serving import coding, docs_ui, messages, metrics
from serving.auth import Keys
from serving.collection.recorder import Recorder
from serving.config import Config
from serving.cors import Cors, is_preflight
from serving.logs import Log
from serving.messages import SERVER_VERSION, Request, Response
from serving.runner import Runner
from serving.script import Style
from serving.swagger import Swagger, SwaggerError
from serving.telemetry import Telemetry

_ID_LIMIT = 100
_ID_HEADERS = frozenset((b"x-request-id", b"x-ms-request-id", b"x-ms-client-request-id", b"traceid"))
_URI_LIMIT = 16 * 1024
_OPEN = ("/", "/livez", "/readyz", "/swagger.json", *docs_ui.PATHS)
_METHODS = {
    "/": ("GET", "HEAD", "OPTIONS"),
    "/livez": ("GET", "HEAD", "OPTIONS"),
    "/readyz": ("GET", "HEAD", "OPTIONS"),
    "/metrics": ("GET", "HEAD", "OPTIONS"),
    "/swagger.json": ("GET", "HEAD", "OPTIONS"),
    "/score": ("GET", "HEAD", "POST", "OPTIONS"),
    **dict.fromkeys(docs_ui.PATHS, ("GET", "HEAD", "OPTIONS")),
}
_ROUTES = {path.encode(): path for path in _METHODS}
_NOT_FOUND = (
    "The requested URL was not found on the server. "
    "If you entered the URL manually please check your spelling and try again."
)
_NOT_ALLOWED = "The method is not allowed for the requested URL."
_QUIET = ("/", "/livez", "/readyz", "/metrics")


class State(Enum):
    """Of the replica, as the control protocol names it."""

    STARTING = "starting"
    READY = "ready"
    DRAINING = "draining"
    FAILED = "failed"


class App:
    """Answers requests; every method is for the thread that holds the baton."""

    def __init__(
        self, config: Config, log: Log, runner: Runner, keys: Keys | None, counters: metrics.Counters
    ) -> None:
        self.config = config
        self.state = State.STARTING
        self.swagger: Swagger | None = None
        self.style = Style.TEXT
        self.recorder: Recorder | None = None
        self.telemetry: Telemetry | None = None
        self._log = log
        self._runner = runner
        self._keys = keys
        self._counters = counters
        self._cors = Cors(os.environ.get("AML_CORS_ORIGINS", ""))
        self._prefix = f"/api/v1/service/{config.service}"
        version = os.environ.get("HTTP_X_MS_SERVER_VERSION") or SERVER_VERSION
        if not version.isprintable() or not version.isascii():
            raise ValueError(f"HTTP_X_MS_SERVER_VERSION: {version!r} is not allowed; give printable ASCII")
        shown = os.environ.get("SERVER_VERSION_LOG_RESPONSE_ENABLED", "true").lower() == "true"
        self._version_line = f"x-ms-server-version: {version}\r\n" if shown else ""
        # Ids: a random beginning for this process, and a count. They need not be secret.
        start = os.urandom(10).hex()
        self._id_start = f"{start[:8]}-{start[8:12]}-4{start[13:16]}-a{start[17:20]}-"
        self._id_count = 0

    # -- before the body ----

    def admit(self, request: Request) -> Response | None:
        """Decide on a request whose headers are there: an answer that needs no body, or None to go on."""
        refusal = self._identify(request)
        target = request.target
        if target in _ROUTES:
            request.api_path = request.log_path = path = _ROUTES[target]
        else:
            path, prefix = self._route(request)
            request.api_path = path
            request.log_path = prefix + path
        return refusal or _malformed(request) or self._refusal(request, path)

    def _refusal(self, request: Request, path: str) -> Response | None:
        if not path or (path in docs_ui.PATHS and not self.config.docs_enabled):
            return messages.error(404, _NOT_FOUND)
        if path not in _OPEN and not self._allowed(request):
            return messages.error(
                401,
                "The Authorization header needs a valid key: Bearer <key>",
                ("WWW-Authenticate", "Bearer"),
            )
        if request.method not in _METHODS[path]:
            return messages.error(405, _NOT_ALLOWED, ("Allow", ", ".join(_METHODS[path])))
        length = request.headers.get(b"content-length")
        if length is not None and int(length) > self.config.body_limit_bytes:
            return self.too_large()
        if path == "/score" and self.state is State.STARTING and not _may_wait(request):
            return messages.overload(503, "The service is starting", 5)
        if b"content-encoding" in request.headers and self.decodes(request):
            given = request.header(b"content-encoding")
            if not coding.supported(given):
                return messages.error(
                    415,
                    f"The Content-Encoding {given} is not supported; send {coding.ACCEPTED} or none",
                    ("Accept-Encoding", coding.ACCEPTED),
                )
        return None

    def decodes(self, request: Request) -> bool:
        """Whether a body with a `Content-Encoding` is decoded. Scripts that speak HTTP themselves get it as it came."""
        coding = request.headers[b"content-encoding"].strip().lower()
        return (
            request.api_path == "/score" and self.style is not Style.RAW and coding not in (b"", b"identity")
        )

    def too_large(self) -> Response:
        """The body is over the limit."""
        return messages.error(
            413, f"The request body exceeds {self.config.body_limit_bytes} bytes", close=True
        )

    def _identify(self, request: Request) -> Response | None:
        if _ID_HEADERS.isdisjoint(request.headers):
            request.request_id = request.legacy_request_id = self._new_id()
            return None
        request_id = request.header(b"x-request-id") or self._new_id()
        if len(request_id) > _ID_LIMIT:
            return messages.error(431, f"x-request-id must not exceed {_ID_LIMIT} characters")
        request.request_id = request_id
        request.trace_id = request.header(b"traceid")
        # v1's servers used x-ms-request-id for both ids; clients may still send it.
        legacy = request.header(b"x-ms-request-id")
        client = request.header(b"x-ms-client-request-id") or legacy
        legacy = legacy or client or request_id
        if len(legacy) > _ID_LIMIT or len(client) > _ID_LIMIT:
            return messages.error(
                431, f"x-ms-request-id and x-ms-client-request-id must not exceed {_ID_LIMIT} characters"
            )
        request.legacy_request_id = legacy
        request.client_request_id = client
        return None

    def _new_id(self) -> str:
        self._id_count += 1
        return f"{self._id_start}{self._id_count:012x}"

    def _route(self, request: Request) -> tuple[str, str]:
        """The route's own path ("" when there is none) and the prefix before it."""
        target = request.target.decode("latin-1")
        if not target.startswith("/"):
            try:
                parts = urlsplit(target)
            except ValueError:
                return "", ""
            target = f"{parts.path or '/'}?{parts.query}" if parts.scheme in ("http", "https") else ""
        path, _, query = target.partition("?")
        request.query = query.encode("latin-1")
        if path in _METHODS:
            return path, ""
        path = unquote(path)
        prefix = ""
        if path == self._prefix or path.startswith(f"{self._prefix}/"):
            prefix, path = self._prefix, path[len(self._prefix) :] or "/"
        return (path, prefix) if path in _METHODS else ("", "")

    def _allowed(self, request: Request) -> bool:
        if self._keys is None or request.private:
            return True
        # Browsers send no key when they ask whether they may; no code of the script runs for these.
        asks = request.api_path == "/score" and request.method == "OPTIONS" and self._answers_options(request)
        return asks or self._keys.allow(request)

    # -- with the body ----

    def handle(self, request: Request) -> None:
        """Answer a complete request, or put it in line for the script."""
        path = request.api_path
        if path == "/score" and not (request.method == "OPTIONS" and self._answers_options(request)):
            request.accepted = True
            self._counters.row[metrics.IN_FLIGHT] += 1
            refusal = self._runner.submit(request)
            if refusal is None:
                return
            response = refusal
        else:
            response = self._direct(request, path)
        if request.connection is not None:
            request.connection.respond(request, response)

    def _answers_options(self, request: Request) -> bool:
        return self.style is not Style.RAW or bool(self._cors and is_preflight(request))

    def _direct(self, request: Request, path: str) -> Response:
        if request.method == "OPTIONS":
            more = ("Allow", ", ".join(_METHODS[path]))
            if path == "/score":
                more = ("x-ms-run-function-failed", "False")
            return Response(200, b"", [("Content-Type", "text/html; charset=utf-8"), more])
        if path == "/livez":
            return _text("Alive")
        if path == "/metrics":
            if request.connection is not None:
                self._counters.row[metrics.CONNECTIONS] = request.connection.neighbours
            body = metrics.render(self._counters.board, self.config.service, self.config.models)
            return Response(200, body, [("Content-Type", "text/plain; version=0.0.4; charset=utf-8")])
        if path in docs_ui.PATHS:
            return docs_ui.answer(request, self.config.service, auth=self.config.auth_enabled)
        if self.state is State.STARTING or (path == "/readyz" and self.state is not State.READY):
            return messages.overload(503, f"The service is {self.state.value}", 1)
        if path == "/swagger.json":
            return self._document(request)
        return _text("Ready" if path == "/readyz" else "Healthy")

    def _document(self, request: Request) -> Response:
        from urllib.parse import parse_qs

        assert self.swagger is not None
        values = parse_qs(request.query.decode("latin-1"), keep_blank_values=True).get("version", ["2"])
        prefix = self._prefix if request.log_path.startswith(self._prefix) else ""
        try:
            body = self.swagger.text(values[0], prefix)
        except SwaggerError as problem:
            return messages.error(404, str(problem))
        return Response(
            200, body, [("Content-Type", messages.JSON_TYPE), ("x-ms-run-function-failed", "False")]
        )

    # -- every answer ----

    def dress(self, request: Request, response: Response) -> None:
        """Add what every answer carries."""
        head = response.head + self._version_line
        # Ids came out of the parser: no line breaks. Those that were refused do not come back.
        if request.request_id:
            head += f"x-request-id: {request.request_id}\r\n"
        if request.legacy_request_id:
            head += f"x-ms-request-id: {request.legacy_request_id}\r\n"
        if request.client_request_id:
            head += f"x-ms-client-request-id: {request.client_request_id}\r\n"
        if request.trace_id:
            head += f"TraceId: {request.trace_id}\r\n"
        response.head = head
        if response.stream is not None:
            self._counters.row[metrics.STREAMS] += 1
        if self._cors:
            response.headers = self._cors.applied(request, response.headers)
        if response.stream is not None and self.recorder is not None:
            response.stream.collected = bytearray()

    def done(self, request: Request, response: Response, status: int, size: int) -> None:
        """Count and log an answer whose last byte is about to be sent, or that breaks off (with another status)."""
        request.finished = True
        path = request.api_path
        if path in _QUIET:
            return
        seconds = time.monotonic() - request.arrived
        if response.stream is not None:
            self._counters.row[metrics.STREAMS] -= 1
            response.status = status
            response.body = bytes(response.stream.collected or b"")
        if path == "/score":
            self._counters.finished(status, seconds)
            if self.telemetry is not None:
                self.telemetry.finish(request, response, seconds)
            if request.accepted:
                self._counters.row[metrics.IN_FLIGHT] -= 1
                if self.recorder is not None:
                    self.recorder.request(request, response)
        self._log.request(request, status, size, seconds)

    def more(self, request: Request) -> None:
        """The client has taken all pieces that there were."""
        self._runner.resume(request)

    def cancel(self, request: Request) -> None:
        """Nobody takes the further pieces."""
        self._runner.cancel(request)

    def abandoned(self, request: Request) -> None:
        """The client left before its answer."""
        if request.accepted and not request.finished:
            self._counters.row[metrics.IN_FLIGHT] -= 1
        stream = request.stream
        if stream is not None and not request.finished:
            self._counters.row[metrics.STREAMS] -= 1
            self._runner.cancel(request)
        request.finished = True
        request.connection = None
        size = 0 if stream is None else stream.size
        self._log.request(request, 499, size, time.monotonic() - request.arrived)

    def refused(self, peer: str, response: Response) -> None:
        """Something that was no HTTP request got an answer."""
        response.head += self._version_line
        self._log.warning("a request was refused", status=response.status, client=peer)


def _may_wait(request: Request) -> bool:
    """Whether a request can wait for the script in line: how others are answered depends on the script."""
    return request.method in ("GET", "HEAD", "POST") and b"content-encoding" not in request.headers


def _text(text: str) -> Response:
    return Response(200, text.encode(), [("Content-Type", "text/html; charset=utf-8")])


def _malformed(request: Request) -> Response | None:
    if len(request.target) > _URI_LIMIT:
        return messages.error(414, f"The request target exceeds {_URI_LIMIT} bytes", close=True)
    if request.version not in ("1.0", "1.1"):
        return messages.error(400, f"HTTP/{request.version} is not supported", close=True)
    if b"host" in request.repeated or (request.version == "1.1" and b"host" not in request.headers):
        return messages.error(400, "HTTP/1.1 requests need exactly one Host header", close=True)
    coding = request.headers.get(b"transfer-encoding")
    if coding is not None and (coding.lower() != b"chunked" or request.version == "1.0"):
        # A proxy in front could see the end of such a body elsewhere.
        return messages.error(400, "The only transfer coding is chunked, in HTTP/1.1", close=True)
    return None
