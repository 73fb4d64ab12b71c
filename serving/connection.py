"""One client connection: HTTP/1.1 by httptools' strict parser, one request at a time, with deadlines."""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from socket import socket

import httptools

from serving import messages
from serving.answering import Answering
from serving.coding import CodingError, Decoder, TooLargeError
from serving.loop import READ
from serving.messages import Request, Response
from serving.roles import Hub
from serving.transport import BODY, CLOSED, HEADERS, IDLE, LINGER

_DISCARD = 64 * 1024
_MAX_HEADERS = 100
_MAX_PIPELINED = 16
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
_METHODS = {name.encode(): name for name in ("GET", "POST", "OPTIONS", "HEAD", "PUT", "DELETE", "PATCH")}
_FRAMING = (b"content-length", b"transfer-encoding")
_ONCE: AbstractSet[bytes] = frozenset()


@dataclass(frozen=True)
class _Head:
    """What frames a request whose headers are read and that is parsed a second time."""

    method: bytes
    version: str
    headers: dict[bytes, bytes]


def _without_upgrade(head: _Head) -> bytes:
    """A head that makes the parser take the same body, and no upgrade."""
    lines = [head.method + b" / HTTP/" + head.version.encode()]
    lines += [name + b": " + head.headers[name] for name in _FRAMING if name in head.headers]
    kept = [token for token in head.headers[b"connection"].split(b",") if token.strip().lower() != b"upgrade"]
    return b"\r\n".join([*lines, b"connection:" + b",".join(kept), b"\r\n"])


def _undecodable(problem: CodingError) -> Response:
    return messages.error(
        400, f"The body cannot be decoded as its Content-Encoding says: {problem}", close=True
    )


class _RefusedError(Exception):
    """Stops the parser; the reason is in `Connection.refusal`."""


class Connection(Answering):
    """Lives in the server's loop; every method is for the thread that holds the baton."""

    __slots__ = (
        "_again", "_body", "_decoder", "_fed", "_header_bytes", "_header_limit", "_headers", "_incoming", "_parser",
        "_repeated", "_scheme", "_size", "_url", "held", "private",
    )  # fmt: skip

    def __init__(self, server: Hub, sock: socket, peer: str, *, private: bool) -> None:
        super().__init__(server, sock, peer)
        self.private = private
        self._scheme = "http" if self._tls is None else "https"
        self._parser = httptools.HttpRequestParser(self)
        self._again: _Head | None = None
        self._incoming: Request | None = None
        self._url = b""
        self._headers: dict[bytes, bytes] = {}
        self._repeated: AbstractSet[bytes] = _ONCE
        self._header_bytes = 0
        self._header_limit = server.config.header_limit_bytes
        self._fed = 0
        self._body: list[bytes] = []
        self._size = 0
        self._decoder: Decoder | None = None
        self.held = 0
        """Bytes of the body that is on its way in."""

    @property
    def receiving(self) -> bool:
        """Whether a request's body is on its way in."""
        return self._incoming is not None

    @property
    def pace(self) -> float:
        """Bytes a second of the body that is on its way in."""
        assert self._incoming is not None
        return self.held / max(0.001, self._loop.now - self._incoming.arrived)

    def forget_incoming(self) -> None:
        """Nothing more is read of the request that is on its way in."""
        self._incoming = None
        self._body = []
        self.server.bodies -= self.held
        self.held = 0

    def crowded_out(self) -> None:
        """There is no room for this body beside the others."""
        self._refused = self._incoming
        self.refusal = messages.overload(503, "Too many request bodies are on their way in", 1)
        self.refuse()

    # -- what comes in ----

    def ended(self) -> None:
        """The client may close its sending side and still wait for its answers."""
        self.eof = True
        if self.current is None and not self.queue and not self._out:
            self.close()
        else:
            self.forget_incoming()
            self._watch(self._events & ~READ)

    def received(self, data: bytes) -> None:
        """Parse; complete requests are handled on the way."""
        if self.phase is IDLE and self.current is None:
            self.phase = HEADERS
            self.deadline = self._loop.now + self._config.header_timeout_seconds
        self._fed += len(data)
        try:
            self._feed(data)
        except httptools.HttpParserCallbackError as problem:
            if not isinstance(problem.__context__, _RefusedError):
                self.server.log.failure("a connection failed", problem.__context__ or problem)
                self.close()
        except httptools.HttpParserError as problem:
            self.refusal = messages.error(400, f"The request is not valid HTTP/1.1: {problem}")
        if self.phase is LINGER or self.phase is CLOSED:
            return
        if self._fed > self._header_limit and self.refusal is None and self._incoming is None:
            # Not even one header was completed in so many bytes.
            self.refusal = self._too_many_headers()
        if self.refusal is not None:
            self.refuse()

    def _feed(self, data: bytes) -> None:
        while data:
            end = self._parsed(data)
            if self._again is None:
                self.eof = self.eof or end < len(data)
                return
            # The parser takes no body from such a request. A fresh one gets the same framing without the
            # offer, and with it what followed the headers.
            self._parser = httptools.HttpRequestParser(self)
            self._parser.feed_data(_without_upgrade(self._again))
            data = data[end:]

    def _parsed(self, data: bytes) -> int:
        """Parse; where the parser stopped, which is before the end only after an offer to upgrade."""
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade as problem:
            return int(problem.args[0])
        return len(data)

    def _too_many_headers(self) -> Response:
        return messages.error(431, f"Request headers exceed {self._config.header_limit_bytes} bytes")

    # -- parser callbacks ----

    def on_message_begin(self) -> None:
        if self.phase is LINGER or self.phase is CLOSED:
            raise _RefusedError
        if self._again is not None:
            return
        self._header_bytes = 0
        self._url = b""
        self._headers = {}
        self._repeated = _ONCE

    def on_url(self, url: bytes) -> None:
        if self._again is not None:
            return
        self._url += url
        self._count(len(url))

    def _count(self, size: int) -> None:
        self._header_bytes += size
        if self._header_bytes > self._header_limit:
            self.refusal = self._too_many_headers()
            raise _RefusedError

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._again is not None:
            return
        self._header_bytes += len(name) + len(value) + 4
        if self._header_bytes > self._header_limit:
            self._count(0)
        if self._incoming is not None:
            return  # a trailer after a chunked body: nothing here may act on it
        headers = self._headers
        name = name.lower()
        if name in headers:
            self._repeated |= {name}
            headers[name] += b"," + value
        else:
            headers[name] = value
            if len(headers) > _MAX_HEADERS:
                self.refusal = messages.error(431, f"More than {_MAX_HEADERS} request headers")
                raise _RefusedError

    def on_headers_complete(self) -> None:
        if len(self.queue) >= _MAX_PIPELINED:
            self.refusal = messages.error(429, f"More than {_MAX_PIPELINED} pipelined requests")
            raise _RefusedError
        self._fed = 0
        parser = self._parser
        method = parser.get_method()
        upgrade = parser.should_upgrade()
        if upgrade and method != b"CONNECT":
            # Nothing is upgraded: a server may take the request as if the offer were not there (RFC 9110, 7.8).
            self._again = _Head(method, parser.get_http_version(), self._headers)
            return
        self._again = None
        request = Request(self, _METHODS.get(method) or method.decode("latin-1"), self._url, self._headers)
        request.version = parser.get_http_version()
        request.keep_alive = parser.should_keep_alive() and not upgrade
        request.private = self.private
        request.scheme = self._scheme
        request.peer = self.peer
        request.repeated = self._repeated
        request.arrived = self._loop.now
        self._body = []
        self._size = 0
        self._incoming = request
        self._decoder = None
        early = self._app.admit(request)
        if early is None and b"content-encoding" in request.headers and self._app.decodes(request):
            self._decoder = Decoder()
            del request.headers[b"content-encoding"]
        expects = b"expect" in request.headers and request.headers[b"expect"].lower() == b"100-continue"
        if early is not None:
            request.early = early
            length = request.headers.get(b"content-length", b"0")
            large = b"transfer-encoding" in request.headers or int(length) > _DISCARD
            if early.close or (large or expects):
                # Not worth reading the body: answer now and hang up.
                self.refusal, self._refused = early, request
                raise _RefusedError
        elif expects and self.current is None and request.version == "1.1":
            self._write(_CONTINUE)
        if self.current is None and not self.queue:
            self.phase = BODY
            self.deadline = request.arrived + self._config.body_timeout_seconds

    def on_body(self, body: bytes) -> None:
        self._size += len(body)
        request = self._incoming
        if request is None or request.early is not None:
            return
        if self._size > self._config.body_limit_bytes:
            self.refusal, self._refused = self._app.too_large(), request
            raise _RefusedError
        if self._decoder is not None:
            try:
                body = self._decoder.feed(body, self._config.body_limit_bytes - self.held)
            except TooLargeError:
                self.refusal, self._refused = self._app.too_large(), request
                raise _RefusedError from None
            except CodingError as problem:
                self.refusal, self._refused = _undecodable(problem), request
                raise _RefusedError from None
        self._body.append(body)
        self.held += len(body)
        self.server.bodies += len(body)
        if self.server.bodies > self._config.bodies_limit and not self.server.make_room_for(self):
            self.refusal = messages.overload(503, "Too many request bodies are on their way in", 1)
            self._refused = request
            raise _RefusedError
        if self.phase is BODY:
            now = self._loop.now
            limit = request.arrived + self._config.body_timeout_seconds + self._size / 1024
            self.deadline = min(limit, now + self._config.body_timeout_seconds)

    def on_message_complete(self) -> None:
        if self._again is not None:
            return
        request, self._incoming = self._incoming, None
        self._fed = 0
        if request is None or self.refusal is not None:
            return
        if self._decoder is not None and request.early is None:
            try:
                self._decoder.finish()
            except CodingError as problem:
                request.early = _undecodable(problem)
        request.held, self.held = self.held, 0
        request.body = self._body[0] if len(self._body) == 1 else b"".join(self._body)
        self._body = []
        if self.current is None and not self.queue:
            self.start(request)
        else:
            self.queue.append(request)
            self._watch(self._events & ~READ)
