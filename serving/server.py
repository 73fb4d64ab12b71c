"""The sockets of one worker: listeners, connections, deadlines, release."""

from __future__ import annotations

import contextlib
import errno
import os
import select
import socket
import ssl
from collections.abc import Callable

from serving.app import App
from serving.config import Config
from serving.connection import Connection
from serving.logs import Log
from serving.loop import READ, Loop
from serving.roles import Receiving
from serving.tls import Certificates

SWEEP_SECONDS = 0.5
_ACCEPTS_A_ROUND = 16
_LEAKED = 0.75
_NO_ROOM = (errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOBUFS)


class Server:
    """What connections share. Every method is for the thread that holds the baton."""

    def __init__(self, config: Config, loop: Loop, log: Log, certificates: Certificates | None) -> None:
        self.config = config
        self.loop = loop
        self.log = log
        self.app: App
        self.connections: dict[int, Connection] = {}
        self.releasing = False
        self.bodies = 0
        self.starved = False
        """Whether a connection could not be accepted for want of descriptors."""
        self._paused = False
        self._certificates = certificates
        self._private: socket.socket | None = None
        self._public: socket.socket | None = None
        self._listening: set[int] = set()
        self._next_sweep = 0.0
        self._release_deadline = 0.0

    # -- listeners ----

    def listen(self, sock: socket.socket, *, private: bool) -> None:
        """Accept connections on a listening socket. Another public socket replaces the one before."""
        sock.setblocking(False)
        if private:
            self._private = sock
        else:
            self._stop_listening(self._public)
            self._public = sock
            self.releasing = False
        self._start_listening(sock, private=private)

    @property
    def descriptors(self) -> list[int]:
        """The listening sockets, watched or not."""
        return [sock.fileno() for sock in (self._private, self._public) if sock is not None]

    def _start_listening(self, sock: socket.socket, *, private: bool) -> None:
        if sock.fileno() not in self._listening:
            self._listening.add(sock.fileno())
            handler: Callable[[int], None] = lambda _events: self._accept(sock, private=private)  # noqa: E731
            self.loop.add(sock.fileno(), READ | select.EPOLLEXCLUSIVE, handler)

    def _stop_listening(self, sock: socket.socket | None, *, close: bool = True) -> None:
        if sock is None:
            return
        if sock.fileno() in self._listening:
            self._listening.discard(sock.fileno())
            self.loop.remove(sock.fileno())
        if close:
            sock.close()

    def close_all(self) -> None:
        """Close every connection and this process's copies of the listening sockets."""
        for connection in list(self.connections.values()):
            connection.close()
        for sock in (self._private, self._public):
            self._stop_listening(sock)
        self._private = self._public = None

    def pause(self) -> None:
        """Leave new connections to other workers for now."""
        self._paused = True
        for sock in (self._private, self._public):
            self._stop_listening(sock, close=False)

    def resume(self) -> None:
        """Accept again."""
        self._paused = False
        for sock, private in ((self._private, True), (self._public, False)):
            if sock is not None and not (self.releasing and not private):
                self._start_listening(sock, private=private)

    def release(self) -> None:
        """Give the public socket up. Open connections get one more answer, with `Connection: close`."""
        self._stop_listening(self._public)
        self._public = None
        self.releasing = True
        self._release_deadline = self.loop.now + self.config.release_grace_seconds

    @property
    def accepting(self) -> bool:
        """Whether a public socket is being listened on."""
        return self._public is not None

    def _accept(self, listener: socket.socket, *, private: bool) -> None:
        for _ in range(_ACCEPTS_A_ROUND):
            try:
                sock, address = listener.accept()
            except (BlockingIOError, InterruptedError):
                return
            except OSError as problem:
                # The kernel looks for a descriptor before it looks whether anybody waits.
                if problem.errno in _NO_ROOM and _waits(listener):
                    self._make_room()
                    # Connections wait in the kernel; asking again at once would only keep the processor busy.
                    self.starved = True
                    self._stop_listening(listener, close=False)
                # Everything else: the client left before it was accepted.
                return
            if len(self.connections) >= self.config.max_connections:
                self._make_room()
            self._open(sock, address, private=private)

    def _open(self, sock: socket.socket, address: object, *, private: bool) -> None:
        sock.setblocking(False)
        peer = ""
        if not private:
            peer = str(address[0]) if isinstance(address, tuple) else ""  # pyright: ignore[reportUnknownArgumentType]
            with contextlib.suppress(OSError):
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self._certificates is not None:
                context = self._certificates.context()
                try:
                    sock = context.wrap_socket(sock, server_side=True, do_handshake_on_connect=False)
                except (OSError, ssl.SSLError):
                    sock.close()
                    return
        connection = Connection(self, sock, peer, private=private)
        self.connections[connection.fd] = connection

    def _make_room(self) -> None:
        """Close the earliest opened of the connections without a request."""
        for connection in self.connections.values():
            if connection.idle:
                connection.close()
                return

    def make_room_for(self, newcomer: Receiving) -> bool:
        """Give up slower bodies than the newcomer's until there is room; False when there are none.

        Whoever sends large bodies slowly, or not to the end, must not keep out all others.
        """
        slower = [
            c
            for c in self.connections.values()
            if c is not newcomer and c.receiving and c.held and c.pace < newcomer.pace
        ]
        for connection in sorted(slower, key=lambda c: c.pace):
            connection.crowded_out()
            if self.bodies <= self.config.bodies_limit:
                return True
        return self.bodies <= self.config.bodies_limit

    @property
    def open_connections(self) -> int:
        """How many connections are open."""
        return len(self.connections)

    def closed(self, fd: int) -> None:
        """The connection on this descriptor is gone."""
        self.connections.pop(fd, None)

    # -- time ----

    def sweep(self) -> None:
        """Close what is overdue; cheap to call often."""
        now = self.loop.now
        if now < self._next_sweep:
            return
        self._next_sweep = now + SWEEP_SECONDS
        if self.starved and not self._paused:
            self.starved = False
            self.resume()
        overdue = [c for c in self.connections.values() if 0 < c.deadline < now]
        for connection in overdue:
            connection.expire()
        if self.releasing and now > self._release_deadline:
            for connection in [c for c in self.connections.values() if c.idle and not c.private]:
                connection.close()

    def busy(self) -> bool:
        """Whether a request is on its way in, waiting, running or being answered."""
        return any(not c.idle for c in self.connections.values())

    def drained(self) -> bool:
        """Whether no client waits for anything any more (idle connections have had their grace)."""
        if any(not c.private for c in self.connections.values()) and self.loop.now <= self._release_deadline:
            return False
        return not self.busy()


def _waits(listener: socket.socket) -> bool:
    """Whether a connection waits to be accepted."""
    look = select.poll()
    look.register(listener, select.POLLIN)
    return bool(look.poll(0))


def leaked_descriptors(connections: int) -> tuple[int, int] | None:
    """How many descriptors of how many are open, if most are neither free nor the connections'; else None."""
    import resource

    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    try:
        count = len(os.listdir("/proc/self/fd"))  # noqa: PTH208 (names are all that is needed)
    except OSError:
        count = limit
    return (
        None if limit == resource.RLIM_INFINITY or count - connections < _LEAKED * limit else (count, limit)
    )


def raise_file_limit() -> int:
    """As many descriptors as the system lets this process have."""
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 65536 if hard == resource.RLIM_INFINITY else min(hard, 65536)
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return 65536
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    return wanted


def bind_unix(path: str) -> socket.socket:
    """A listening UNIX socket that only this user may connect to.

    Raises:
        OSError: the path is too long, or its folder is missing or not writable.
    """
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)  # noqa: PTH108
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    old = os.umask(0o177)
    try:
        sock.bind(path)
    finally:
        os.umask(old)
    sock.listen(1024)
    return sock


def bind_tcp(host: str, port: int) -> socket.socket:
    """A listening TCP socket.

    Raises:
        OSError: the address is in use or not this machine's.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.bind((host, port))
    sock.listen(4096)
    return sock
