"""JSON lines with file descriptors over UNIX sockets: the control protocol and the workers' channels."""

from __future__ import annotations

import json
import os
import socket
from typing import Any, cast

_LIMIT = 1 << 20
_MAX_FDS = 16


def encode(message: dict[str, Any]) -> bytes:
    """One message as a line."""
    return json.dumps(message).encode() + b"\n"


def send(sock: socket.socket, message: dict[str, Any], fds: list[int] | None = None) -> None:
    """Send one message and copies of `fds`.

    Raises:
        OSError: the peer is gone or does not read.
    """
    data = encode(message)
    sent = socket.send_fds(sock, [data], fds) if fds else sock.send(data)
    while sent < len(data):
        sent += sock.send(data[sent:])


class Receiver:
    """Collects messages and descriptors from a socket, as they come."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.closed = False
        self._buffer = b""
        self._fds: list[int] = []

    def receive(self) -> list[dict[str, Any]]:
        """Read what is there. An end of the stream or a message that is no JSON object sets `closed`."""
        try:
            data, fds, _flags, _address = socket.recv_fds(self.sock, 65536, _MAX_FDS)
        except (BlockingIOError, InterruptedError):
            return []
        except OSError:
            data, fds = b"", []
        self._fds += fds
        if not data:
            self.closed = True
            return []
        *lines, self._buffer = (self._buffer + data).split(b"\n")
        messages: list[dict[str, Any]] = []
        for line in lines:
            try:
                message: object = json.loads(line)
            except ValueError:
                message = None
            if not isinstance(message, dict):
                self.closed = True
                return messages
            messages.append(cast("dict[str, Any]", message))
        if len(self._buffer) > _LIMIT:
            self.closed = True
        return messages

    def take_fd(self) -> int | None:
        """The next descriptor that came along."""
        return self._fds.pop(0) if self._fds else None

    def close(self) -> None:
        """Close the socket and descriptors nobody took."""
        self.sock.close()
        for fd in self._fds:
            os.close(fd)
        self._fds.clear()
