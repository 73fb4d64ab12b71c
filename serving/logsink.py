"""The supervisor's side of the log: takes the workers' lines to one rotating file or to stdout."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

from serving.logs import timestamp

_READ = 256 * 1024
_MAX_LINE = 64 * 1024


class Sink:
    """Where lines end up."""

    def __init__(self, path: str, max_bytes: int, keep: int) -> None:
        """Open the file (or standard output, with an empty path).

        Raises:
            OSError: the file cannot be written.
        """
        self._path = path
        self._max_bytes = max_bytes
        self._keep = keep
        self._fd = self._open() if path else 1
        self._size = os.fstat(self._fd).st_size if path else 0

    def _open(self) -> int:
        return os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)

    def write(self, data: bytes) -> None:
        """Append whole lines."""
        if self._path and self._size + len(data) > self._max_bytes and self._size:
            self._rotate()
        self._size += len(data)
        while data:
            data = data[os.write(self._fd, data) :]

    def event(self, level: str, message: str, **fields: Any) -> None:
        """A line of the supervisor's own."""
        line = {
            "time": timestamp(time.time()),
            "level": level,
            "message": message,
            **fields,
            "pid": os.getpid(),
        }
        self.write(json.dumps(line, default=str).encode() + b"\n")

    def _rotate(self) -> None:
        os.close(self._fd)
        for number in range(self._keep, 0, -1):
            older = Path(f"{self._path}.{number}")
            newer = Path(f"{self._path}.{number - 1}" if number > 1 else self._path)
            if newer.exists():
                newer.replace(older)
        self._fd = self._open()
        self._size = 0


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
                if self._rest:
                    self._write(self._rest + b"\n")
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
