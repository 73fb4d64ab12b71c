"""The control socket: JSON lines from whoever manages this replica."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from serving import channel
from serving.roles import Supervisor
from serving.workers import Workers

_PATIENCE = 30.0
COMMANDS = ("status", "accept", "release", "give", "stop")


@dataclass
class _Pending:
    """A reply that waits for the workers."""

    receiver: channel.Receiver
    number: int
    keys: list[int]
    deadline: float
    done: Callable[[], None]


class Control:
    """Serves the protocol."""

    def __init__(self, master: Supervisor, workers: Workers, listener: socket.socket) -> None:
        self._master = master
        self._workers = workers
        self._listener = listener
        self._peers: list[channel.Receiver] = []
        self._pending: list[_Pending] = []
        listener.setblocking(False)
        master.watch(listener.fileno(), self._accept)

    def _accept(self) -> None:
        try:
            sock, _ = self._listener.accept()
        except OSError:
            return  # the peer left already
        sock.settimeout(5)
        receiver = channel.Receiver(sock)
        self._peers.append(receiver)
        self._master.watch(sock.fileno(), lambda: self._read(receiver))

    def _read(self, receiver: channel.Receiver) -> None:
        for message in receiver.receive():
            self._obey(receiver, message)
        if receiver.closed:
            self._forget(receiver)

    def _forget(self, receiver: channel.Receiver) -> None:
        if receiver in self._peers:
            self._peers.remove(receiver)
            self._master.unwatch(receiver.sock.fileno())
            receiver.close()

    def _reply(
        self, receiver: channel.Receiver, message: dict[str, Any], fds: list[int] | None = None
    ) -> None:
        if receiver not in self._peers:
            return
        try:
            channel.send(receiver.sock, message, fds)
        except OSError:
            self._forget(receiver)

    def _obey(self, receiver: channel.Receiver, message: dict[str, Any]) -> None:
        command = message.get("cmd")
        if command == "status":
            self._reply(receiver, self._status())
        elif command == "accept":
            self._take(receiver)
        elif command == "release":
            self._master.release()
            self._ask(receiver, {"cmd": "release"}, lambda: None)
        elif command == "give":
            if self._master.public is None:
                self._reply(receiver, {"ok": False, "error": "no listening socket is held"})
            else:
                self._reply(receiver, {"ok": True}, [self._master.public.fileno()])
        elif command == "stop":
            self._reply(receiver, {"ok": True})
            self._master.stop(float(message.get("seconds", self._master.config.drain_seconds)))
        else:
            allowed = ", ".join(COMMANDS)
            self._reply(receiver, {"ok": False, "error": f"unknown cmd {command!r}; allowed: {allowed}"})

    def _status(self) -> dict[str, Any]:
        master = self._master
        return {
            "state": master.state().value,
            "pid": os.getpid(),
            "accepting": master.public is not None,
            "models": dict(master.config.models),
            "workers": self._workers.pids,
        }

    def _take(self, receiver: channel.Receiver) -> None:
        fd = receiver.take_fd()
        if fd is None:
            self._reply(
                receiver, {"ok": False, "error": "accept needs a listening TCP socket as a descriptor"}
            )
            return
        sock = socket.socket(fileno=fd)
        try:
            listening = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
        except OSError:
            listening = 0
        if not listening or sock.family not in (socket.AF_INET, socket.AF_INET6):
            sock.close()
            self._reply(receiver, {"ok": False, "error": "the descriptor is not a listening TCP socket"})
            return
        self._master.release()
        self._master.public = sock
        self._ask(receiver, {"cmd": "accept"}, lambda: None, [sock.fileno()])

    def _ask(
        self,
        receiver: channel.Receiver,
        message: dict[str, Any],
        done: Callable[[], None],
        fds: list[int] | None = None,
    ) -> None:
        number, keys = self._workers.tell_all(message, fds)
        self._pending.append(_Pending(receiver, number, keys, time.monotonic() + _PATIENCE, done))
        self.tick()

    def tick(self) -> None:
        """Send the replies whose workers have all done their part."""
        for pending in list(self._pending):
            missing = self._workers.missing(pending.number, pending.keys)
            if missing and time.monotonic() < pending.deadline:
                continue
            self._pending.remove(pending)
            pending.done()
            if missing:
                self._reply(pending.receiver, {"ok": False, "error": f"workers {missing} did not answer"})
            else:
                self._reply(pending.receiver, {"ok": True})

    def close(self) -> None:
        """Stop serving the protocol."""
        self._master.unwatch(self._listener.fileno())
        self._listener.close()
        for receiver in list(self._peers):
            self._forget(receiver)
