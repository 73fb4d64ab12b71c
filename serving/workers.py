"""The worker processes of a replica: forked, watched, replaced."""

from __future__ import annotations

import os
import signal
import socket
import sys
import time
import traceback
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Any

from serving import channel, metrics
from serving.logsink import Source
from serving.worker import SCRIPT_FAILED, Inherited
from serving.worker import main as worker_main

if TYPE_CHECKING:
    from serving.master import Master

_BACK_OFF = (0.0, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0)
_CALM_SECONDS = 60.0
_SILENT_SECONDS = 10.0
_RETIRE_SECONDS = 10.0


class Status(Enum):
    """Of one worker."""

    STARTING = "starting"
    READY = "ready"
    RETIRING = "retiring"


@dataclass
class Handle:
    """One worker process, as the supervisor sees it."""

    pid: int
    index: int
    receiver: channel.Receiver
    sources: list[Source]
    started: float
    status: Status = Status.STARTING
    deadline: float = 0.0
    replaces: Handle | None = None
    acknowledged: set[int] = field(default_factory=set[int])


class Workers:
    """All of them."""

    def __init__(self, master: Master, board: metrics.Board) -> None:
        self.handles: dict[int, Handle] = {}
        self.complete = False
        self._master = master
        self._board = board
        self._failures: list[float] = []
        self._next_start = 0.0
        self._last_id = 0

    def with_status(self, status: Status) -> list[Handle]:
        """The workers in a state."""
        return [handle for handle in self.handles.values() if handle.status is status]

    def start(self) -> None:
        """Start the first ones."""
        for _ in range(self._master.config.workers):
            self._fork(None)

    # -- processes ----

    def _fork(self, replaces: Handle | None) -> None:
        used = {handle.index for handle in self.handles.values()}
        index = next(i for i in range(self._board.rows) if i not in used)
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        pipes = [os.pipe() for _ in range(3)]
        # A worker that joins others takes connections only once it is ready.
        paused = bool(self.with_status(Status.READY))
        sys.stdout.flush()
        sys.stderr.flush()
        pid = os.fork()
        if pid == 0:
            self._child(ours, theirs, pipes, index, paused=paused)
        theirs.close()
        sources = [
            Source(pipe[0], self._master.sink, stream)
            for pipe, stream in zip(pipes, ("", "stdout", "stderr"), strict=True)
        ]
        for pipe in pipes:
            os.close(pipe[1])
        handle = Handle(pid, index, channel.Receiver(ours), sources, time.monotonic(), replaces=replaces)
        ours.settimeout(
            5
        )  # a worker whose script holds the interpreter reads late; the supervisor must not hang
        self.handles[pid] = handle
        self._board.clear_gauges(index)
        self._master.watch(ours.fileno(), lambda: self._on_message(handle))
        for source in sources:
            self._master.watch(source.fd, lambda source=source: self._on_output(handle, source))

    def _child(
        self,
        ours: socket.socket,
        theirs: socket.socket,
        pipes: list[tuple[int, int]],
        index: int,
        *,
        paused: bool,
    ) -> None:
        """Never returns."""
        code = 1
        try:
            ours.close()
            self._master.close_in_child()
            _die_with_parent()
            os.dup2(pipes[1][1], 1)
            os.dup2(pipes[2][1], 2)
            os.set_blocking(pipes[0][1], False)
            for number, pipe in enumerate(pipes):
                os.close(pipe[0])
                if number:
                    os.close(pipe[1])
            given = Inherited(
                theirs, self._master.private, self._master.public, pipes[0][1], self._board, index, paused
            )
            code = worker_main(self._master.config, given)
            sys.stdout.flush()
        except BaseException:
            os.write(2, traceback.format_exc().encode())
        finally:
            os._exit(code)

    def _on_output(self, handle: Handle, source: Source) -> None:
        if not source.pump():
            self._master.unwatch(source.fd)
            source.close()
            handle.sources.remove(source)

    def _on_message(self, handle: Handle) -> None:
        for message in handle.receiver.receive():
            if "id" in message:
                handle.acknowledged.add(int(message["id"]))
            elif message.get("event") == "ready":
                self._ready(handle)
            elif message.get("event") == "stuck":
                self._replace(handle, "run() does not come back")
            elif message.get("event") == "worn":
                self._replace(handle, "max_requests is reached")
        if handle.receiver.closed:
            self._unwatch_channel(handle)

    def _unwatch_channel(self, handle: Handle) -> None:
        sock = handle.receiver.sock
        if sock.fileno() >= 0:
            self._master.unwatch(sock.fileno())
            handle.receiver.close()

    def _ready(self, handle: Handle) -> None:
        first = not self.with_status(Status.READY)
        if handle.status is Status.RETIRING:
            return
        handle.status = Status.READY
        self.tell(handle, {"cmd": "resume"})
        if first:
            for other in self.with_status(Status.STARTING):
                self.tell(other, {"cmd": "pause"})
        if len(self.with_status(Status.READY)) >= self._master.config.workers:
            self.complete = True
        if handle.replaces is not None:
            self._retire(handle.replaces)
            handle.replaces = None

    def _replace(self, handle: Handle, reason: str) -> None:
        if handle.status is not Status.READY or any(h.replaces is handle for h in self.handles.values()):
            return
        self._master.sink.event("warning", f"a worker is replaced: {reason}", worker=handle.pid)
        if len(self.handles) < self._board.rows:
            self._fork(handle)

    def _retire(self, handle: Handle) -> None:
        handle.status = Status.RETIRING
        seconds = min(self._master.config.drain_seconds, _RETIRE_SECONDS)
        handle.deadline = time.monotonic() + seconds + 1
        self.tell(handle, {"cmd": "stop", "seconds": seconds})

    # -- watching ----

    def reap(self) -> None:
        """Notice workers that have ended."""
        while self.handles:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            handle = self.handles.pop(pid, None)
            if handle is not None:
                self._ended(handle, os.waitstatus_to_exitcode(status))

    def _ended(self, handle: Handle, code: int) -> None:
        for source in list(handle.sources):
            source.pump()
            self._master.unwatch(source.fd)
            source.close()
        self._unwatch_channel(handle)
        self._board.clear_gauges(handle.index)
        if self._master.stopping or handle.status is Status.RETIRING:
            return
        if not self.complete:
            self._master.failed(handle, code)
            return
        now = time.monotonic()
        self._failures = [when for when in self._failures if now - when < _CALM_SECONDS] + [now]
        wait = _BACK_OFF[min(len(self._failures) - 1, len(_BACK_OFF) - 1)]
        self._next_start = now + wait
        reason = "its script did not start" if code == SCRIPT_FAILED else f"exit code {code}"
        self._master.sink.event(
            "error", f"a worker ended: {reason}; next start in {wait} s", worker=handle.pid
        )

    def tick(self) -> None:
        """Start what is missing, kill what is overdue."""
        if self._master.stopping or self._master.exit_code is not None:
            return
        now = time.monotonic()
        for handle in list(self.handles.values()):
            if handle.status is Status.RETIRING and now > handle.deadline:
                self._kill(handle)
            elif handle.status is Status.READY:
                beat = self._board.row(handle.index)[metrics.HEARTBEAT]
                if beat and now - beat > self._master.config.run_timeout + _SILENT_SECONDS:
                    self._master.sink.event(
                        "error", "a worker no longer responds and is killed", worker=handle.pid
                    )
                    self._kill(handle)
        active = [h for h in self.handles.values() if h.status is not Status.RETIRING and h.replaces is None]
        if len(active) < self._master.config.workers and now >= self._next_start:
            self._fork(None)

    def _kill(self, handle: Handle) -> None:
        os.kill(handle.pid, signal.SIGKILL)

    def kill_all(self) -> None:
        """End every worker at once and wait for it."""
        for handle in self.handles.values():
            self._kill(handle)
        for pid, handle in list(self.handles.items()):
            os.waitpid(pid, 0)
            for source in handle.sources:
                source.pump()
        self.handles.clear()

    # -- talking ----

    def tell(self, handle: Handle, message: dict[str, Any], fds: list[int] | None = None) -> None:
        """Send a worker a message. One that cannot be told anything is no use any more."""
        try:
            channel.send(handle.receiver.sock, message, fds)
        except OSError:
            self._kill(handle)

    def tell_all(self, message: dict[str, Any], fds: list[int] | None = None) -> tuple[int, list[int]]:
        """Send every worker a message; its number and who got it (see `missing`)."""
        self._last_id += 1
        receivers = list(self.handles.values())
        for handle in receivers:
            self.tell(handle, {**message, "id": self._last_id}, fds)
        return self._last_id, [handle.pid for handle in receivers]

    def missing(self, number: int, pids: list[int]) -> list[int]:
        """The workers that live and have not yet done what message `number` said."""
        return [pid for pid in pids if pid in self.handles and number not in self.handles[pid].acknowledged]


def _die_with_parent() -> None:
    """Have the kernel end this process when the supervisor is killed: nobody else would."""
    if sys.platform != "linux":
        return
    import ctypes

    pr_set_pdeathsig = 1
    parent = os.getppid()
    ctypes.CDLL(None).prctl(pr_set_pdeathsig, int(signal.SIGKILL), 0, 0, 0)
    if os.getppid() != parent:
        os._exit(1)
