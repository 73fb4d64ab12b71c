"""The half of a connection that answers: one request at a time, whole or in pieces."""

from __future__ import annotations

from collections import deque
from socket import socket

from serving import messages
from serving.loop import READ, WRITE
from serving.messages import Piece, Request, Response
from serving.roles import Hub
from serving.transport import BODY, CLOSED, HEADERS, IDLE, RUNNING, Transport

_INTERNAL = "An unexpected internal error occurred. Check the logs for more info."


class Answering(Transport):
    """Sends answers in the order of the requests. Every method is for the thread that holds the baton."""

    __slots__ = (
        "_app",
        "_chunked",
        "_keep",
        "_refused",
        "_streaming",
        "current",
        "eof",
        "peer",
        "queue",
        "refusal",
    )

    def __init__(self, server: Hub, sock: socket, peer: str) -> None:
        super().__init__(server, sock)
        self.peer = peer
        self.current: Request | None = None
        self.queue: deque[Request] = deque()
        self.eof = False
        self.refusal: Response | None = None
        self._app = server.app
        self._refused: Request | None = None
        self._streaming: Response | None = None
        self._chunked = False
        self._keep = False

    @property
    def receiving(self) -> bool:
        """Whether a request's body is on its way in."""
        raise NotImplementedError

    def forget_incoming(self) -> None:
        """Nothing more is read of the request that is on its way in."""
        raise NotImplementedError

    @property
    def neighbours(self) -> int:
        """How many connections are open in this process."""
        return self.server.open_connections

    def start(self, request: Request) -> None:
        """It is this request's turn."""
        self.current = request
        # Waiting for one's own earlier answers is not waiting for a place.
        request.arrived = self._loop.now
        self.phase = RUNNING
        self.deadline = 0.0
        if request.early is not None:
            self.respond(request, request.early)
        else:
            self._app.handle(request)

    # -- whole answers ----

    def respond(self, request: Request, response: Response) -> None:
        """Send the answer to `request` and go on with what the client sent meanwhile."""
        if self.current is not request or self.phase is CLOSED:
            return
        self._app.dress(request, response)
        last = (self.eof or self.server.releasing) and not self.queue and self.refusal is None
        keep_alive = request.keep_alive and not response.close and not last
        if response.stream is not None:
            self._begin(request, response, keep_alive=keep_alive)
            return
        self._done(request, response, response.status, len(response.body))
        data = self._encoded(
            response, keep_alive=keep_alive, head=request.method == "HEAD", http10=request.version == "1.0"
        )
        self._finish(data, keep_alive=keep_alive)

    def _done(self, request: Request, response: Response, status: int, size: int) -> None:
        self._app.done(request, response, status, size)
        self._let_go(request)

    def _let_go(self, request: Request) -> None:
        """The request's body is not needed any more."""
        self.server.bodies -= request.held
        request.held = 0

    def _finish(self, data: bytes, *, keep_alive: bool) -> None:
        """Send the last bytes of the answer."""
        self.current = None
        self.phase = IDLE
        if data:
            self._write(data)
        if self.phase is CLOSED:
            return
        if keep_alive:
            self.go_on()
        else:
            self._linger()

    def _encoded(self, response: Response, *, keep_alive: bool, head: bool, http10: bool) -> bytes:
        try:
            return messages.encode(response, keep_alive=keep_alive, head=head, http10=http10)
        except ValueError as problem:
            self.server.log.error(f"a response could not be sent: {problem}")
            plain = messages.error(500, _INTERNAL)
            return messages.encode(plain, keep_alive=keep_alive, head=head, http10=http10)

    # -- answers in pieces ----

    def _begin(self, request: Request, response: Response, *, keep_alive: bool) -> None:
        """The head and the first piece."""
        assert response.stream is not None
        stream = response.stream
        first, response.body = response.body, b""
        bare = request.method == "HEAD" or response.status in (204, 304)
        self._chunked = request.version != "1.0" and not bare
        # Without chunks only the end of the connection ends the body.
        self._keep = keep_alive and (self._chunked or bare)
        try:
            head = messages.stream_head(
                response, keep_alive=self._keep, chunked=self._chunked, http10=request.version == "1.0"
            )
        except ValueError as problem:
            self.server.log.error(f"a response could not be sent: {problem}")
            bare, response.status = True, 500
            head = messages.encode(
                messages.error(500, _INTERNAL), keep_alive=self._keep, head=False, http10=False
            )
        if bare:
            self._app.cancel(request)
            self._done(request, response, response.status, 0)
            self._finish(head, keep_alive=self._keep)
            return
        self._streaming = response
        self._write(head + self._framed(first))
        if self.phase is not CLOSED:
            stream.sent(first)
            self._more()

    def _framed(self, data: bytes) -> bytes:
        return b"%x\r\n%b\r\n" % (len(data), data) if self._chunked else data

    def _more(self) -> None:
        """Ask for the next piece once the client has taken the last."""
        if not self._out and self.current is not None:
            self.deadline = 0.0
            self._app.more(self.current)

    def piece(self, request: Request, piece: Piece) -> None:
        """The next piece of the answer to `request`, or its end."""
        response = self._streaming
        if self.current is not request or self.phase is CLOSED or response is None:
            return
        stream = response.stream
        assert stream is not None
        if not piece.last:
            self._write(self._framed(piece.data))
            if self.phase is not CLOSED:
                stream.sent(piece.data)
                self._more()
            return
        self._streaming = None
        self._done(request, response, piece.failed or response.status, stream.size)
        if piece.failed:
            # Without the chunk that ends a body, every client sees that this one is not complete.
            self._finish(self._framed(piece.data) if piece.data else b"", keep_alive=False)
        else:
            self._finish(b"0\r\n\r\n" if self._chunked else b"", keep_alive=self._keep)

    # -- afterwards ----

    def go_on(self) -> None:
        """What comes after an answer. Nothing more is read from a client that does not take its answers."""
        config = self._config
        if self._out:
            self._watch(WRITE)
        elif self.queue:
            self.start(self.queue.popleft())
        elif self.refusal is not None:
            self.refuse()
        elif self.eof:
            self._linger()
        else:
            self.phase = BODY if self.receiving else IDLE
            wait = config.body_timeout_seconds if self.receiving else config.idle_timeout_seconds
            self.deadline = self._loop.now + wait
            self._watch(READ)

    def refuse(self) -> None:
        """Answer with `refusal` after what was accepted before it, then hang up."""
        assert self.refusal is not None
        self.forget_incoming()
        self.eof = True
        if self.current is None:
            refusal, self.refusal = self.refusal, None
            if self._refused is not None:
                self._app.dress(self._refused, refusal)
                self._done(self._refused, refusal, refusal.status, len(refusal.body))
            else:
                self._app.refused(self.peer, refusal)
            self._write(self._encoded(refusal, keep_alive=False, head=False, http10=False))
            self._linger()
        else:
            self._watch(self._events & ~READ)

    def sent(self) -> None:
        """Go on, unless the script works on an answer."""
        if self.current is None:
            self.go_on()
        elif self._streaming is not None:
            self._more()

    def _linger(self) -> None:
        self._drop_queue()
        super()._linger()

    def _drop_queue(self) -> None:
        for request in self.queue:
            self._let_go(request)
        self.queue.clear()

    def expire(self) -> None:
        """The deadline has passed."""
        if self.phase in (HEADERS, BODY):
            self.refusal = messages.error(408, "The request did not arrive in time")
            self.refuse()
        else:
            self.close()

    @property
    def idle(self) -> bool:
        """No request on the way."""
        return self.phase is IDLE and self.current is None and not self.receiving and not self._out

    @property
    def streaming(self) -> bool:
        """Whether an answer is being sent in pieces."""
        return self._streaming is not None

    def closing(self) -> None:
        """Give up what is running for the client."""
        self.forget_incoming()
        self._drop_queue()
        self._streaming = None
        if self.current is not None:
            self._app.abandoned(self.current)
            self._let_go(self.current)
            self.current = None
        self.server.closed(self.fd)
