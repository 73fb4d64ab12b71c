"""The worker processes of a replica: started, watched, replaced."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from serving import channel, forks, metrics, spawn
from serving.logsink import Source
from serving.roles import Supervisor
from serving.worker import SCRIPT_FAILED

_BACK_OFF = (0.0, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0)
_CALM_SECONDS = 60.0
_SILENT_SECONDS = 10.0
_RETIRE_SECONDS = 10.0


class Status(Enum):
    """Of one process."""

    STARTING = "starting"
    READY = "ready"
    RETIRING = "retiring"
    TEMPLATE = "template"


@dataclass
class Handle:
    """One process, as the supervisor sees it. `pid` is 0 until a worker forked from the template said hello."""

    key: int
    pid: int
    index: int
    receiver: channel.Receiver
    sources: list[Source]
    status: Status = Status.STARTING
    forked_by_us: bool = True
    deadline: float = 0.0
    replaces: Handle | None = None
    acknowledged: set[int] = field(default_factory=set[int])


class Workers:
    """All of them."""

    def __init__(self, master: Supervisor, board: metrics.Board) -> None:
        self.handles: dict[int, Handle] = {}
        self.complete = False
        self._master = master
        self._board = board
        self._template: Handle | None = None
        self._failures: list[float] = []
        self._groups = forks.Groups()
        self._next_start = 0.0
        self._last_id = 0
        self._last_key = 0

    def with_status(self, status: Status) -> list[Handle]:
        """The processes in a state."""
        return [handle for handle in self.handles.values() if handle.status is status]

    @property
    def pids(self) -> list[int]:
        """The processes that run the script."""
        return sorted(h.pid for h in self.handles.values() if h.status is not Status.TEMPLATE and h.pid)

    # -- starting ----

    def start(self) -> None:
        """Start the first ones."""
        config = self._master.config
        if config.workers > 1 and config.share_model is not False:
            self._template = self._start(None, as_template=True)
            return
        for _ in range(config.workers):
            self._start(None)

    def _start(self, replaces: Handle | None, *, as_template: bool = False) -> Handle:
        used = {handle.index for handle in self.handles.values()}
        index = next(i for i in range(self._board.rows) if i not in used)
        # A worker that joins others takes connections only once it is ready.
        paused = bool(self.with_status(Status.READY))
        wires = spawn.Wires.make()
        self._board.clear_gauges(index)
        pid = 0
        template = self._template if self._template and self._template.status is Status.TEMPLATE else None
        if template is not None:
            try:
                spawn.ask_template(self._master, template.receiver.sock, wires, index, paused=paused)
            except OSError:
                self._kill(template)
                template = None
        if template is None:
            pid = spawn.fork(self._master, self._board, wires, index, paused=paused, as_template=as_template)
        self._last_key += 1
        sources = wires.keep_ours(self._master)
        receiver = channel.Receiver(wires.ours)
        handle = Handle(self._last_key, pid, index, receiver, sources, replaces=replaces)
        handle.forked_by_us = template is None
        self.handles[handle.key] = handle
        self._master.watch(wires.ours.fileno(), lambda: self._on_message(handle))
        for source in sources:
            self._master.watch(source.fd, lambda source=source: self._on_output(handle, source))
        return handle

    # -- what workers say ----

    def _on_output(self, handle: Handle, source: Source) -> None:
        if not source.pump():
            self._master.unwatch(source.fd)
            source.close()
            handle.sources.remove(source)

    def _on_message(self, handle: Handle) -> None:
        for message in handle.receiver.receive():
            if "id" in message:
                handle.acknowledged.add(int(message["id"]))
            else:
                self._on_event(handle, str(message.get("event")), message)
        if handle.receiver.closed:
            self._unwatch_channel(handle)
            if not handle.forked_by_us:
                # Not a child of this process: the end of its channel is the only sign of its end.
                self._ended(handle, None)

    def _on_event(self, handle: Handle, event: str, message: dict[str, Any]) -> None:
        if event == "ready":
            self._ready(handle)
        elif event == "hello":
            handle.pid = int(message["pid"])
        elif event == "stuck":
            self._replace(handle, "run() does not come back")
        elif event == "worn":
            self._replace(handle, "max_requests is reached")
        elif event == "leak":
            counted = f"{message['open']} of {message['limit']} descriptors are open"
            self._replace(handle, f"{counted}; does the script close its files?")
        elif event == "template":
            handle.status = Status.TEMPLATE
        elif event == "alone":
            self._template = None

    def _unwatch_channel(self, handle: Handle) -> None:
        sock = handle.receiver.sock
        if sock.fileno() >= 0:
            self._master.unwatch(sock.fileno())
            handle.receiver.close()

    def _ready(self, handle: Handle) -> None:
        if handle.status is Status.RETIRING:
            return
        first = not self.with_status(Status.READY)
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
            self._start(handle)

    def _retire(self, handle: Handle) -> None:
        handle.status = Status.RETIRING
        seconds = min(self._master.config.drain_seconds, _RETIRE_SECONDS)
        handle.deadline = time.monotonic() + seconds + 1
        self.tell(handle, {"cmd": "stop", "seconds": seconds})

    # -- watching ----

    def reap(self) -> None:
        """Notice children that have ended."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            for handle in list(self.handles.values()):
                if handle.pid == pid and handle.forked_by_us:
                    self._ended(handle, os.waitstatus_to_exitcode(status))
            self._master.child_ended(pid, os.waitstatus_to_exitcode(status))

    def _ended(self, handle: Handle, code: int | None) -> None:
        if self.handles.pop(handle.key, None) is None:
            return
        for source in list(handle.sources):
            source.pump()
            self._master.unwatch(source.fd)
            source.close()
        self._unwatch_channel(handle)
        self._board.clear_gauges(handle.index)
        self._groups.end(handle.pid)
        if handle is self._template:
            self._template = None
        if self._master.stopping or handle.status is Status.RETIRING:
            return
        if not self.complete:
            self._master.failed(handle.pid, 1 if code is None else code)
            return
        self._back_off(handle, code)

    def _back_off(self, handle: Handle, code: int | None) -> None:
        now = time.monotonic()
        self._failures = [when for when in self._failures if now - when < _CALM_SECONDS] + [now]
        wait = _BACK_OFF[min(len(self._failures) - 1, len(_BACK_OFF) - 1)]
        self._next_start = now + wait
        reason = {SCRIPT_FAILED: "its script did not start", None: "its channel closed"}.get(
            code, f"exit code {code}"
        )
        message = f"a worker ended: {reason}; next start in {wait} s"
        self._master.sink.event("error", message, worker=handle.pid)

    def tick(self) -> None:
        """Start what is missing, kill what is overdue."""
        self._groups.tick()
        if self._master.stopping or self._master.exit_code is not None:
            return
        now = time.monotonic()
        for handle in list(self.handles.values()):
            if handle.status is Status.RETIRING and now > handle.deadline + self.patience(handle):
                self._kill(handle)
            elif handle.status is Status.READY:
                beat = self._board.row(handle.index)[metrics.HEARTBEAT]
                config = self._master.config
                if beat and now - beat > max(config.run_timeout, config.stream_timeout) + _SILENT_SECONDS:
                    self._master.sink.event(
                        "error", "a worker no longer responds and is killed", worker=handle.pid
                    )
                    self._kill(handle)
        if self._template is not None and self._template.status is Status.STARTING:
            return
        idle = (Status.RETIRING, Status.TEMPLATE)
        active = [h for h in self.handles.values() if h.status not in idle and h.replaces is None]
        for _ in range(self._master.config.workers - len(active)):
            if now >= self._next_start:
                self._start(None)

    def patience(self, handle: Handle | None = None) -> float:
        """How many seconds longer a worker, or any, may take to end because of answers in pieces that are open."""
        handles = list(self.handles.values()) if handle is None else [handle]
        busy = any(self._board.row(h.index)[metrics.STREAMS] > 0 for h in handles)
        return self._master.config.stream_drain_seconds if busy else 0

    def _kill(self, handle: Handle) -> None:
        if handle.pid:
            os.kill(handle.pid, signal.SIGKILL)

    def kill_all(self) -> None:
        """End every process at once and wait for it."""
        for handle in self.handles.values():
            with contextlib.suppress(ProcessLookupError):
                self._kill(handle)
        for handle in self.handles.values():
            if handle.forked_by_us:
                os.waitpid(handle.pid, 0)
            self._groups.end(handle.pid)
            for source in handle.sources:
                source.pump()
        self.handles.clear()
        self._groups.finish()

    # -- talking ----

    def tell(self, handle: Handle, message: dict[str, Any], fds: list[int] | None = None) -> None:
        """Send a process a message. One that cannot be told anything is no use any more."""
        try:
            channel.send(handle.receiver.sock, message, fds)
        except OSError:
            self._kill(handle)

    def tell_all(self, message: dict[str, Any], fds: list[int] | None = None) -> tuple[int, list[int]]:
        """Send every process a message; its number and who got it (see `missing`)."""
        self._last_id += 1
        receivers = list(self.handles.values())
        for handle in receivers:
            self.tell(handle, {**message, "id": self._last_id}, fds)
        return self._last_id, [handle.key for handle in receivers]

    def missing(self, number: int, keys: list[int]) -> list[int]:
        """The processes that live and have not yet done what message `number` said."""
        return [
            self.handles[key].pid
            for key in keys
            if key in self.handles and number not in self.handles[key].acknowledged
        ]
