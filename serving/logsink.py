"""The supervisor's side of the log: takes the workers' lines to one rotating file or to stdout."""

from __future__ import annotations

import contextlib
import json
import os
import select
import stat
import time
from pathlib import Path
from typing import Any

from serving.logs import timestamp

_READ = 256 * 1024
_MAX_LINE = 64 * 1024
_MOST_WAITING = 4 * 1024 * 1024
_ALL = 1 << 20
_PIPE = 4096
_TERMINAL = 256
_LOOK_SECONDS = 1.0


class Sink:
    """Where lines end up.

    A disk that is full, a reader that is gone or does not read: lines are lost, counted and told of once there is
    room again. Nothing here waits or raises, because all of the replica would.
    """

    def __init__(self, path: str, max_bytes: int, keep: int) -> None:
        """Open the file (or standard output, with an empty path).

        Raises:
            OSError: the file cannot be written.
        """
        self.dropped = 0
        self._path = path
        self._max_bytes = max_bytes
        self._keep = keep
        self._fd = self._open() if path else 1
        self._size = os.fstat(self._fd).st_size if path else 0
        self._waiting = bytearray()
        self._writing = False
        self._torn = 0
        """Bytes of a line that was begun."""
        self._broken = False
        """Whether half a line is where the next one comes."""
        self._untold = False
        self._reason = ""
        self._next_look = 0.0
        regular = stat.S_ISREG(os.fstat(self._fd).st_mode) if path or _is_open(1) else True
        self._most = _ALL if regular else _TERMINAL if os.isatty(self._fd) else _PIPE
        self._room = select.poll()
        self._room.register(self._fd, select.POLLOUT)

    def _open(self) -> int:
        return os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)

    def write(self, data: bytes) -> None:
        """Append whole lines."""
        if len(self._waiting) + len(data) > _MOST_WAITING:
            self.lose(data.count(b"\n"), "its reader does not read")
        else:
            if self._untold:
                self._untold = False
                text = f"{self.dropped} lines of the log were lost until now: {self._reason}"
                self._waiting += _line("warning", text)
            self._waiting += data
        self.flush()

    def flush(self) -> None:
        """Write what waits, as far as there is room."""
        # A signal's handler logs too, perhaps in the middle of this.
        if self._writing:
            return
        self._writing = True
        try:
            self._flush()
        finally:
            self._writing = False

    def _flush(self) -> None:
        if self._path and self._size + len(self._waiting) > self._max_bytes and self._size and self._waiting:
            self._rotate()
        while self._waiting and self._has_room():
            try:
                if self._broken:
                    os.write(self._fd, b"\n")
                    self._broken = False
                written = os.write(self._fd, self._waiting[: self._most])
            except BlockingIOError:
                return
            except OSError as problem:
                self._failed(problem)
                return
            self._advance(written)

    def _has_room(self) -> bool:
        # A pipe that has room takes _PIPE bytes without making the writer wait; files always have.
        return self._most == _ALL or bool(self._room.poll(0))

    def _advance(self, written: int) -> None:
        end = self._waiting.rfind(b"\n", 0, written)
        self._torn = written - end - 1 if end >= 0 else self._torn + written
        self._size += written
        del self._waiting[:written]

    def _failed(self, problem: OSError) -> None:
        """Give up what waits; of a line that was begun no half stays in the file."""
        if self._torn and self._path:
            with contextlib.suppress(OSError):
                os.ftruncate(self._fd, os.fstat(self._fd).st_size - self._torn)
                self._size -= self._torn
                self._torn = 0
        self._broken = self._broken or self._torn > 0
        self._torn = 0
        self.lose(self._waiting.count(b"\n"), problem.strerror or str(problem))
        self._waiting.clear()

    def lose(self, lines: int, reason: str) -> None:
        """Count lines that nobody will read."""
        self.dropped += lines
        self._untold = True
        self._reason = reason

    def event(self, level: str, message: str, **fields: Any) -> None:
        """A line of the supervisor's own."""
        self.write(_line(level, message, **fields))

    def tick(self) -> None:
        """Try again what found no room; find out that somebody moved or removed the file."""
        self.flush()
        now = time.monotonic()
        if not self._path or now < self._next_look:
            return
        self._next_look = now + _LOOK_SECONDS
        with contextlib.suppress(OSError):
            found = os.stat(self._path) if os.path.exists(self._path) else None  # noqa: PTH110, PTH116
            held = os.fstat(self._fd)
            if found is None or (found.st_dev, found.st_ino) != (held.st_dev, held.st_ino):
                self._take(self._open())

    def _take(self, fd: int) -> None:
        self._room.unregister(self._fd)
        os.close(self._fd)
        self._fd = fd
        self._room.register(fd, select.POLLOUT)
        self._size = os.fstat(fd).st_size
        self._torn = 0

    def _rotate(self) -> None:
        """Begin a new file. Where that fails the old one goes on, until it has as much again."""
        try:
            if self._keep < 1:
                os.ftruncate(self._fd, 0)
            for number in range(self._keep, 0, -1):
                newer = Path(f"{self._path}.{number - 1}" if number > 1 else self._path)
                if newer.exists():
                    newer.replace(f"{self._path}.{number}")
            self._take(self._open())
        except OSError as problem:
            self._size = 0
            self._waiting[:0] = _line("warning", f"the log cannot be rotated: {problem}")


def _line(level: str, message: str, **fields: Any) -> bytes:
    line = {"time": timestamp(time.time()), "level": level, "message": message, **fields, "pid": os.getpid()}
    return json.dumps(line, default=str).encode() + b"\n"


def _is_open(fd: int) -> bool:
    try:
        os.fstat(fd)
    except OSError:
        return False
    return True


class Source:
    """One pipe of a worker: its structured log, or what its process prints past Python."""

    def __init__(self, fd: int, sink: Sink, stream: str) -> None:
        self.fd = fd
        self._sink = sink
        self._stream = stream
        self._rest = b""
        os.set_blocking(fd, False)

    def pump(self) -> bool:
        """Move what is there to the sink; False at the end of the pipe."""
        while True:
            try:
                data = os.read(self.fd, _READ)
            except BlockingIOError:
                return True
            if not data:
                if self._rest and self._stream:
                    self._write(self._rest + b"\n")
                elif self._rest:
                    self._sink.lose(1, "its worker ended in the middle of it")
                return False
            whole, newline, self._rest = (self._rest + data).rpartition(b"\n")
            if newline:
                self._write(whole + newline)
            if len(self._rest) > _MAX_LINE and self._stream:
                self._write(self._rest + b"\n")
                self._rest = b""

    def _write(self, lines: bytes) -> None:
        if not self._stream:
            self._sink.write(lines)
            return
        for line in lines.decode("utf-8", "backslashreplace").splitlines():
            if line.strip():
                self._sink.event("info", line, stream=self._stream)

    def close(self) -> None:
        """Close the pipe."""
        os.close(self.fd)
