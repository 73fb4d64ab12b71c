"""One client connection: HTTP/1.1 by httptools' strict parser, one request at a time, with deadlines."""

from __future__ import annotations

import ssl
from collections import deque
from enum import Enum
from socket import SHUT_WR, socket
from typing import TYPE_CHECKING

import httptools

from serving import messages
from serving.loop import READ, WRITE
from serving.messages import Request, Response

if TYPE_CHECKING:
    from serving.server import Server

_CHUNK = 64 * 1024  # larger reads would make malloc map memory for each
_DISCARD = 64 * 1024
_MAX_HEADERS = 100
_MAX_PIPELINED = 16
_LINGER_SECONDS = 2.0
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


class Phase(Enum):
    """What the connection waits for."""

    HANDSHAKE = "handshake"
    IDLE = "idle"
    HEADERS = "headers"
    BODY = "body"
    RUNNING = "running"
    LINGER = "linger"
    CLOSED = "closed"


_OVER = (Phase.LINGER, Phase.CLOSED)


class _RefusedError(Exception):
    """Stops the parser; the reason is in `Connection.refusal`."""


class Connection:
    """Lives in the server's loop; every method is for the thread that holds the baton."""

    __slots__ = (
        "_body", "_events", "_fed", "_header_bytes", "_header_limit", "_headers", "_incoming", "_out", "_parser",
        "_refused", "_repeated", "_size", "_url", "current", "deadline", "eof", "fd", "peer", "phase", "private",
        "queue", "refusal", "scheme", "server", "sock",
    )  # fmt: skip

    def __init__(self, server: Server, sock: socket, peer: str, *, private: bool) -> None:
        self.server = server
        self.sock = sock
        self.fd = sock.fileno()
        self.peer = peer
        self.private = private
        self.scheme = "https" if isinstance(sock, ssl.SSLSocket) else "http"
        self.phase = Phase.HANDSHAKE if self.scheme == "https" else Phase.IDLE
        self.current: Request | None = None
        self.queue: deque[Request] = deque()
        self.eof = False
        self.refusal: Response | None = None
        self._refused: Request | None = None
        self._parser = httptools.HttpRequestParser(self)
        self._incoming: Request | None = None
        self._url = b""
        self._headers: dict[bytes, bytes] = {}
        self._repeated: set[bytes] = set()
        self._header_bytes = 0
        self._header_limit = server.config.header_limit_bytes
        self._fed = 0
        self._body: list[bytes] = []
        self._size = 0
        self._out = memoryview(b"")
        self._events = READ
        self.deadline = server.loop.now + server.config.header_timeout_seconds
        if self.phase is Phase.IDLE:
            self.deadline = server.loop.now + server.config.idle_timeout_seconds
        server.loop.add(self.fd, READ, self.ready)

    # -- events ----

    def ready(self, events: int) -> None:
        """The socket is readable, writable or broken."""
        if self.phase is Phase.HANDSHAKE and not self._handshake():
            return
        if events & WRITE and self._out:
            self._flush()
        if events & ~WRITE and self.phase is not Phase.CLOSED:
            self._read()

    def _handshake(self) -> bool:
        assert isinstance(self.sock, ssl.SSLSocket)
        try:
            self.sock.do_handshake()
        except ssl.SSLWantReadError:
            self._watch(READ)
            return False
        except ssl.SSLWantWriteError:
            self._watch(WRITE)
            return False
        except OSError:
            self.close()
            return False
        self.phase = Phase.IDLE
        self.deadline = self.server.loop.now + self.server.config.idle_timeout_seconds
        self._watch(READ)
        return True

    def _read(self) -> None:
        try:
            data = self.sock.recv(_CHUNK)
        except (BlockingIOError, InterruptedError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
            return
        except OSError:
            self.close()
            return
        if self.phase is Phase.LINGER:
            if not data:
                self.close()
            return
        if data:
            self._feed(data)
            # TLS may hold decrypted bytes that epoll knows nothing of.
            while (
                isinstance(self.sock, ssl.SSLSocket)
                and self.phase is not Phase.CLOSED
                and self.sock.pending()
            ):
                self._feed(self.sock.recv(_CHUNK))
            return
        self.eof = True
        if self.current is None and not self.queue and not self._out:
            self.close()
        else:
            # A client may close its sending side and still wait for its answers.
            self._incoming = None
            self._watch(self._events & ~READ)

    def _feed(self, data: bytes) -> None:
        if self.phase is Phase.IDLE and self.current is None:
            self.phase = Phase.HEADERS
            self.deadline = self.server.loop.now + self.server.config.header_timeout_seconds
        self._fed += len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self.eof = True
        except httptools.HttpParserCallbackError as problem:
            if not isinstance(problem.__context__, _RefusedError):
                self.server.log.failure("a connection failed", problem.__context__ or problem)
                self.close()
        except httptools.HttpParserError as problem:
            self.refusal = messages.error(400, f"The request is not valid HTTP/1.1: {problem}")
        if self.phase in _OVER:
            return
        if self.refusal is None and self._incoming is None and self._fed > self._header_limit:
            # Not even one header was completed in so many bytes.
            self.refusal = self._too_many_headers()
        if self.refusal is not None:
            self._refuse()

    def _too_many_headers(self) -> Response:
        return messages.error(431, f"Request headers exceed {self.server.config.header_limit_bytes} bytes")

    def _refuse(self) -> None:
        """Answer with `refusal` after what was accepted before it, then hang up."""
        assert self.refusal is not None
        self._incoming = None
        self.eof = True
        if self.current is None:
            refusal, self.refusal = self.refusal, None
            if self._refused is not None:
                self.server.app.finish(self._refused, refusal)
            else:
                self.server.app.refused(self.peer, refusal)
            self._send(refusal, keep_alive=False, head=False, http10=False)
            self._linger()
        else:
            self._watch(self._events & ~READ)

    # -- parser callbacks ----

    def on_message_begin(self) -> None:
        if self.phase in _OVER:
            raise _RefusedError
        self._header_bytes = 0
        self._url = b""
        self._headers = {}
        self._repeated = set()

    def on_url(self, url: bytes) -> None:
        self._url += url
        self._count(len(url))

    def _count(self, size: int) -> None:
        self._header_bytes += size
        if self._header_bytes > self._header_limit:
            self.refusal = self._too_many_headers()
            raise _RefusedError

    def on_header(self, name: bytes, value: bytes) -> None:
        self._header_bytes += len(name) + len(value) + 4
        if self._header_bytes > self._header_limit:
            self._count(0)
        if self._incoming is not None:
            return  # a trailer after a chunked body: nothing here may act on it
        headers = self._headers
        name = name.lower()
        if name in headers:
            self._repeated.add(name)
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
        request = Request(self, parser.get_method().decode("latin-1"), self._url, self._headers)
        request.version = parser.get_http_version()
        # An upgrade is not made: the request is answered as it is, and what follows is not HTTP/1.1.
        request.keep_alive = parser.should_keep_alive() and not parser.should_upgrade()
        request.private = self.private
        request.scheme = self.scheme
        request.peer = self.peer
        request.repeated = self._repeated
        request.arrived = self.server.loop.now
        self._body = []
        self._size = 0
        self._incoming = request
        early = self.server.app.admit(request)
        expects = request.headers.get(b"expect", b"").lower() == b"100-continue"
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
            self.phase = Phase.BODY
            self.deadline = request.arrived + self.server.config.body_timeout_seconds

    def on_body(self, body: bytes) -> None:
        self._size += len(body)
        request = self._incoming
        if request is None or request.early is not None:
            return
        if self._size > self.server.config.body_limit_bytes:
            self.refusal, self._refused = self.server.app.too_large(), request
            raise _RefusedError
        self._body.append(body)
        if self.phase is Phase.BODY:
            now = self.server.loop.now
            limit = request.arrived + self.server.config.body_timeout_seconds + self._size / 1024
            self.deadline = min(limit, now + self.server.config.body_timeout_seconds)

    def on_message_complete(self) -> None:
        request, self._incoming = self._incoming, None
        self._fed = 0
        if request is None or self.refusal is not None:
            return
        request.body = self._body[0] if len(self._body) == 1 else b"".join(self._body)
        self._body = []
        if self.current is None and not self.queue:
            self._start(request)
        else:
            self.queue.append(request)
            self._watch(self._events & ~READ)

    # -- answers ----

    def _start(self, request: Request) -> None:
        self.current = request
        # Waiting for one's own earlier answers is not waiting for a place.
        request.arrived = self.server.loop.now
        self.phase = Phase.RUNNING
        self.deadline = 0.0
        if request.early is not None:
            self.respond(request, request.early)
        else:
            self.server.app.handle(request)

    def respond(self, request: Request, response: Response) -> None:
        """Send the answer to `request` and go on with what the client sent meanwhile."""
        if self.phase is Phase.CLOSED or self.current is not request:
            return
        self.server.app.finish(request, response)
        last = not self.queue and self.refusal is None and (self.eof or self.server.releasing)
        keep_alive = request.keep_alive and not response.close and not last
        self.current = None
        self.phase = Phase.IDLE
        http10 = request.version == "1.0"
        if not self._send(response, keep_alive=keep_alive, head=request.method == "HEAD", http10=http10):
            return
        if keep_alive:
            self._go_on()
        else:
            self._linger()

    def _go_on(self) -> None:
        """What comes after an answer. Nothing more is read from a client that does not take its answers."""
        config = self.server.config
        if self._out:
            self._watch(WRITE)
        elif self.queue:
            self._start(self.queue.popleft())
        elif self.refusal is not None:
            self._refuse()
        elif self.eof:
            self._linger()
        else:
            self.phase = Phase.IDLE if self._incoming is None else Phase.BODY
            wait = config.idle_timeout_seconds if self._incoming is None else config.body_timeout_seconds
            self.deadline = self.server.loop.now + wait
            self._watch(READ)

    def _send(self, response: Response, *, keep_alive: bool, head: bool, http10: bool) -> bool:
        try:
            data = messages.encode(response, keep_alive=keep_alive, head=head, http10=http10)
        except ValueError as problem:
            self.server.log.error(f"a response could not be sent: {problem}")
            plain = messages.error(
                500, "An unexpected internal error occurred. Check the logs for more info."
            )
            data = messages.encode(plain, keep_alive=keep_alive, head=head, http10=http10)
        self._write(data)
        return self.phase is not Phase.CLOSED

    def _write(self, data: bytes) -> None:
        self._out = memoryview(bytes(self._out) + data if self._out else data)
        self._flush()

    def _flush(self) -> None:
        try:
            sent = self.sock.send(self._out)
        except (BlockingIOError, InterruptedError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
            sent = 0
        except OSError:
            self.close()
            return
        self._out = self._out[sent:]
        if self._out:
            if sent or not self._events & WRITE:
                self.deadline = self.server.loop.now + self.server.config.idle_timeout_seconds
            self._watch(self._events | WRITE)
        elif self._events & WRITE:
            self._watch(self._events & ~WRITE)
            if self.phase is Phase.LINGER:
                self._shutdown()
            elif self.current is None:
                self._go_on()

    def _linger(self) -> None:
        """Close without cutting off the answer: stop sending, and read what still comes for a moment."""
        self.phase = Phase.LINGER
        self.queue.clear()
        if not self._out:
            self._shutdown()

    def _shutdown(self) -> None:
        self.deadline = self.server.loop.now + _LINGER_SECONDS
        if isinstance(self.sock, ssl.SSLSocket):
            # No close_notify exchange: the length of every answer was told.
            self.close()
            return
        try:
            self.sock.shutdown(SHUT_WR)
        except OSError:
            self.close()
            return
        self._watch(READ)

    def _watch(self, events: int) -> None:
        if events != self._events and self.phase is not Phase.CLOSED:
            self._events = events
            self.server.loop.change(self.fd, events)

    def expire(self) -> None:
        """The deadline has passed."""
        if self.phase in (Phase.HEADERS, Phase.BODY):
            self.refusal = messages.error(408, "The request did not arrive in time")
            self._refuse()
        else:
            self.close()

    @property
    def idle(self) -> bool:
        """No request on the way."""
        return self.phase is Phase.IDLE and self.current is None and self._incoming is None and not self._out

    def close(self) -> None:
        """Hang up at once."""
        if self.phase is Phase.CLOSED:
            return
        self.phase = Phase.CLOSED
        if self.current is not None:
            self.server.app.abandoned(self.current)
            self.current = None
        self.server.loop.remove(self.fd)
        self.sock.close()
        self.server.closed(self)
