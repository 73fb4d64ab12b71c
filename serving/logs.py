"""A worker's log: JSON lines with the request's id, print() and logging of the script included."""

from __future__ import annotations

import io
import json
import logging
import os
import sys
import threading
import time
import traceback
from collections.abc import Callable
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from serving.messages import Request

_BUFFER_BYTES = 16 * 1024
_LEVELS = {name: getattr(logging, name) for name in ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")}
_MAX_PENDING = 4 * 1024 * 1024
_LONGEST = 64 * 1024
"""Characters of one text in a line: what reads logs takes lines of some size only."""


class Current(threading.local):
    """The request that this thread works on."""

    request_id: str = ""
    trace_id: str = ""


current = Current()


_second: tuple[int, str] = (0, "")
_quote = json.encoder.encode_basestring_ascii
_EMPTY = '""'


def timestamp(seconds: float) -> str:
    """UTC, to the millisecond, RFC 3339."""
    global _second  # noqa: PLW0603 (formatted once a second)
    whole = int(seconds)
    if _second[0] != whole:
        _second = (whole, datetime.fromtimestamp(whole, timezone.utc).strftime("%Y-%m-%dT%H:%M:%S"))
    return f"{_second[1]}.{int(seconds % 1 * 1000):03d}Z"


def _shortened(text: str) -> str:
    """A text with its middle left out when it is too long."""
    if len(text) <= _LONGEST:
        return text
    half = _LONGEST // 2
    return f"{text[:half]}… {len(text) - 2 * half} characters are left out …{text[-half:]}"


def own_traceback(problem: BaseException) -> str:
    """The traceback from the script's first line on, without the server's own frames."""
    server = str(Path(__file__).parent)
    frame = problem.__traceback__
    while frame is not None and (
        frame.tb_frame.f_code.co_filename.startswith(server)
        or "importlib" in frame.tb_frame.f_code.co_filename
    ):
        frame = frame.tb_next
    return "".join(traceback.format_exception(type(problem), problem, frame))


class Log:
    """Writes lines without ever blocking: when the reader is too slow, lines are dropped and counted."""

    def __init__(self, fd: int, fixed: dict[str, Any]) -> None:
        self._fd = fd
        self._fixed = json.dumps(fixed)[1:-1]
        self._lock = threading.Lock()
        self._buffer = bytearray()
        self.dropped = 0

    def write(self, level: str, message: str, *, flush: bool = True, **fields: Any) -> None:
        """One line."""
        line = {"time": timestamp(time.time()), "level": level, "message": _shortened(message)}
        if current.request_id:
            line["request_id"] = current.request_id
        if current.trace_id:
            line["trace_id"] = current.trace_id
        line.update(fields)
        text = json.dumps(line, default=str)
        self._append(f"{text[:-1]}, {self._fixed}}}\n".encode(), flush=flush)

    def info(self, message: str, **fields: Any) -> None:
        """A line that tells of something usual."""
        self.write("info", message, **fields)

    def warning(self, message: str, **fields: Any) -> None:
        """A line that somebody should look at some day."""
        self.write("warning", message, **fields)

    def error(self, message: str, **fields: Any) -> None:
        """A line that somebody should look at."""
        self.write("error", message, **fields)

    def failure(self, message: str, problem: BaseException, **fields: Any) -> None:
        """An error with its traceback."""
        text = "".join(traceback.format_exception(type(problem), problem, problem.__traceback__))
        self.write("error", message, traceback=_shortened(text), **fields)

    def script_failure(self, message: str, problem: BaseException) -> None:
        """An error of the script, with its own traceback."""
        self.write("error", message, traceback=_shortened(own_traceback(problem)))

    def request(self, request: Request, status: int, size: int, seconds: float) -> None:
        """One line for an answered request; these are buffered for a moment."""
        client_id = request.client_request_id
        text = (
            f'{{"time": "{timestamp(time.time())}", "level": "info", "message": "request", '
            f'"status": {status}, "ms": {seconds * 1000:.3f}, "run_ms": {request.run_ms:.3f}, '
            f'"bytes": {size}, "method": {_quote(request.method)}, "path": {_quote(request.log_path)}, '
            f'"request_id": {_quote(request.request_id)}, '
            f'"client_request_id": {_quote(client_id) if client_id else _EMPTY}, '
            f'"client": "{request.peer}", {self._fixed}}}\n'
        )
        self._append(text.encode(), flush=False)

    def _append(self, line: bytes, *, flush: bool) -> None:
        with self._lock:
            if len(self._buffer) > _MAX_PENDING:
                self.dropped += 1
                return
            self._buffer += line
            if flush or len(self._buffer) > _BUFFER_BYTES:
                self._flush()

    @property
    def pending(self) -> bool:
        """Whether lines wait to be handed over."""
        return bool(self._buffer)

    def flush(self) -> None:
        """Hand over what is buffered, as far as the reader takes it."""
        with self._lock:
            self._flush()

    def _flush(self) -> None:
        while self._buffer:
            try:
                sent = os.write(self._fd, self._buffer)
            except BlockingIOError:
                return
            except OSError:
                # The supervisor is gone, and this process is about to go too.
                self.dropped += self._buffer.count(b"\n")
                self._buffer.clear()
                return
            del self._buffer[:sent]


class Stream(io.TextIOBase):
    """Stands in for `sys.stdout` and `sys.stderr`: every printed line becomes a log line."""

    def __init__(self, log: Log, name: str, fd: int) -> None:
        self._log = log
        self._name = name
        self._fd = fd
        self._partial = threading.local()
        self.buffer = os.fdopen(fd, "wb", buffering=0, closefd=False)

    @property
    def encoding(self) -> str:  # pyright: ignore[reportIncompatibleVariableOverride]
        """What text streams say of themselves."""
        return "utf-8"

    @property
    def errors(self) -> str:  # pyright: ignore[reportIncompatibleVariableOverride]
        """What text streams say of themselves."""
        return "backslashreplace"

    def fileno(self) -> int:
        """The descriptor behind, for libraries that write to it themselves."""
        return self._fd

    def writable(self) -> bool:
        """Always."""
        return True

    def write(self, text: str, /) -> int:
        """Log the lines that are complete."""
        *lines, rest = (getattr(self._partial, "text", "") + text).split("\n")
        self._partial.text = rest
        for line in lines:
            if line.strip():
                self._log.write("info", line, stream=self._name)
        return len(text)


class _Handler(logging.Handler):
    """Python's `logging` of the script and its libraries."""

    def __init__(self, log: Log) -> None:
        super().__init__()
        self._log = log

    def emit(self, record: logging.LogRecord) -> None:
        """One record, one line."""
        fields: dict[str, Any] = {"logger": record.name}
        if record.exc_info and record.exc_info[1] is not None:
            problem = record.exc_info[1]
            lines = traceback.format_exception(type(problem), problem, problem.__traceback__)
            fields["traceback"] = _shortened("".join(lines))
        self._log.write(record.levelname.lower(), record.getMessage(), **fields)


def capture(log: Log, level: str) -> Callable[[], None]:
    """Send print() and logging of this process to `log`; the returned function undoes it (for tests)."""
    before = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = Stream(log, "stdout", 1), Stream(log, "stderr", 2)
    handler = _Handler(log)
    root = logging.getLogger()
    root.addHandler(handler)
    root.setLevel(_LEVELS.get(level.upper(), logging.INFO))

    def undo() -> None:
        sys.stdout, sys.stderr = before
        root.removeHandler(handler)

    return undo
