"""One socket in the server's loop: TLS handshake, sending without blocking, hanging up without cutting answers off."""

from __future__ import annotations

import ssl
from enum import Enum
from socket import SHUT_WR, socket

from serving.loop import READ, WRITE
from serving.roles import Hub

_LINGER_SECONDS = 2.0
_NOTHING = memoryview(b"")
_LATER = (BlockingIOError, InterruptedError, ssl.SSLWantReadError, ssl.SSLWantWriteError)


class Phase(Enum):
    """What the connection waits for."""

    HANDSHAKE = "handshake"
    IDLE = "idle"
    HEADERS = "headers"
    BODY = "body"
    RUNNING = "running"
    LINGER = "linger"
    CLOSED = "closed"


# Names of the module: Python 3.11 looks up an enumeration's members slowly, and these are looked up often.
HANDSHAKE, IDLE, HEADERS, BODY, RUNNING, LINGER, CLOSED = Phase


class Transport:
    """The bytes' side of a connection. Every method is for the thread that holds the baton."""

    __slots__ = ("_config", "_events", "_loop", "_out", "_tls", "deadline", "fd", "phase", "server", "sock")

    def __init__(self, server: Hub, sock: socket) -> None:
        self.server = server
        self.sock = sock
        self.fd = sock.fileno()
        self.phase = IDLE
        self._config = server.config
        self._loop = server.loop
        self._tls = sock if isinstance(sock, ssl.SSLSocket) else None
        self._out = _NOTHING
        self._events = READ
        self.deadline = self._loop.now + self._config.idle_timeout_seconds
        if self._tls is not None:
            self.phase = HANDSHAKE
            self.deadline = self._loop.now + self._config.header_timeout_seconds
        self._loop.add(self.fd, READ, self.ready)

    # -- for the side that speaks HTTP ----

    def received(self, data: bytes) -> None:
        """The client sent bytes."""
        raise NotImplementedError

    def ended(self) -> None:
        """The client sends nothing more."""
        raise NotImplementedError

    def sent(self) -> None:
        """What waited to be sent is out."""
        raise NotImplementedError

    def closing(self) -> None:
        """The socket is about to be closed."""
        raise NotImplementedError

    # -- events ----

    def ready(self, events: int) -> None:
        """The socket is readable, writable or broken."""
        if self.phase is HANDSHAKE and not self._handshake():
            return
        if events & WRITE and self._out:
            self._flush()
        if events & ~WRITE and self.phase is not CLOSED:
            self._read()

    def _handshake(self) -> bool:
        assert self._tls is not None
        try:
            self._tls.do_handshake()
        except ssl.SSLWantReadError:
            self._watch(READ)
            return False
        except ssl.SSLWantWriteError:
            self._watch(WRITE)
            return False
        except OSError:
            self.close()
            return False
        self.phase = IDLE
        self.deadline = self._loop.now + self._config.idle_timeout_seconds
        self._watch(READ)
        return True

    def _read(self) -> None:
        try:
            # Larger reads would make malloc map memory for each.
            data = self.sock.recv(65536)
        except _LATER:
            return
        except OSError:
            self.close()
            return
        if self.phase is LINGER:
            if not data:
                self.close()
        elif not data:
            self.ended()
        else:
            self.received(data)
            # TLS may hold decrypted bytes that epoll knows nothing of.
            while self._tls is not None and self.phase is not CLOSED and self._tls.pending():
                self.received(self._tls.recv(65536))

    def _watch(self, events: int) -> None:
        if events != self._events and self.phase is not CLOSED:
            self._events = events
            self._loop.change(self.fd, events)

    # -- sending ----

    def _write(self, data: bytes) -> None:
        if not self._out:
            try:
                sent = self.sock.send(data)
            except _LATER:
                sent = 0
            except OSError:
                self.close()
                return
            if sent == len(data):
                return
            self._out = memoryview(data)[sent:]
            self._wait_to_send()
        else:
            self._out = memoryview(bytes(self._out) + data)
            self._flush()

    def _flush(self) -> None:
        try:
            sent = self.sock.send(self._out)
        except _LATER:
            sent = 0
        except OSError:
            self.close()
            return
        self._out = self._out[sent:]
        if self._out:
            if sent:
                self._wait_to_send()
            return
        self._watch(self._events & ~WRITE)
        if self.phase is LINGER:
            self._shutdown()
        else:
            self.sent()

    def _wait_to_send(self) -> None:
        self.deadline = self._loop.now + self._config.idle_timeout_seconds
        self._watch(self._events | WRITE)

    # -- the end ----

    def _linger(self) -> None:
        """Close without cutting off the answer: stop sending, and read what still comes for a moment."""
        self.phase = LINGER
        if not self._out:
            self._shutdown()

    def _shutdown(self) -> None:
        self.deadline = self._loop.now + _LINGER_SECONDS
        if self._tls is not None:
            # No close_notify exchange: the length of every answer was told.
            self.close()
            return
        try:
            self.sock.shutdown(SHUT_WR)
        except OSError:
            self.close()
            return
        self._watch(READ)

    def close(self) -> None:
        """Hang up at once."""
        if self.phase is CLOSED:
            return
        self.phase = CLOSED
        self.closing()
        self._loop.remove(self.fd)
        self.sock.close()
