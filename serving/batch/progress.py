"""What the person who started the run sees: log lines and, on a terminal, a progress bar. All on standard error."""

from __future__ import annotations

import shutil
import sys
import time
from typing import TextIO

_LEVELS = ("debug", "info", "warning", "error")
_REDRAW_SECONDS = 0.1
_LINE_SECONDS = 30.0
_WAIT_SECONDS = 1.0


class Console:
    """Standard error, with the bar kept below everything else."""

    def __init__(self, level: str, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stderr
        self._level = _LEVELS.index(level)
        self._terminal = self._stream.isatty()
        self._total = self._done = self._failed = 0
        self._begin = self._done_at_begin = 0.0
        self._drawn = 0.0
        self._bar = ""

    @property
    def interval(self) -> float:
        """Seconds until `tick` wants to be called again."""
        return _WAIT_SECONDS

    def info(self, text: str) -> None:
        """Something usual."""
        self._line("info", text)

    def warning(self, text: str) -> None:
        """Something that somebody should look at."""
        self._line("warning", text)

    def error(self, text: str) -> None:
        """Why the run ends."""
        self._line("error", text)

    def script(self, worker: int, text: str) -> None:
        """A line that the script printed."""
        self._line("info", f"[{worker}] {text}")

    def begin(self, total: int, done: int, failed: int) -> None:
        """Start the bar: items in all, done before, failed before."""
        self._total, self._done, self._failed = total, done, failed
        self._begin, self._done_at_begin = time.monotonic(), done
        self.tick()

    def advance(self, items: int, failed: int) -> None:
        """More items are done."""
        self._done += items
        self._failed += failed
        self.tick()

    def tick(self) -> None:
        """Draw the bar, if it is time."""
        now = time.monotonic()
        if not self._total:
            return
        if not self._terminal:
            # The log of a job: now and then a line.
            if self._done < self._total and now - max(self._drawn, self._begin) >= _LINE_SECONDS:
                self._drawn = now
                self.info(self._said(now - self._begin).strip())
            return
        if now - self._drawn < _REDRAW_SECONDS and self._done < self._total:
            return
        self._drawn = now
        self._erase()
        self._bar = self._text(now - self._begin)
        self._stream.write(self._bar)
        self._stream.flush()

    def end(self) -> None:
        """Take the bar away."""
        self._erase()
        self._total = 0

    def _said(self, seconds: float) -> str:
        """How far it is, how fast, and how long it will take."""
        share = self._done / self._total
        speed = (self._done - self._done_at_begin) / seconds if seconds > 0 else 0.0
        rest = (
            f", {(self._total - self._done) / speed:.0f} s left" if speed and self._done < self._total else ""
        )
        failed = f", {self._failed} failed" if self._failed else ""
        return f" {share:4.0%} {self._done}/{self._total}{failed}, {speed:.1f}/s{rest}"

    def _text(self, seconds: float) -> str:
        text, share = self._said(seconds), self._done / self._total
        width = max(0, min(40, shutil.get_terminal_size().columns - len(text) - 3))
        full = round(share * width)
        return f"[{'#' * full}{'.' * (width - full)}]{text}"

    def _erase(self) -> None:
        if self._bar:
            self._stream.write("\r\x1b[K")
            self._bar = ""

    def _line(self, level: str, text: str) -> None:
        if _LEVELS.index(level) < self._level:
            return
        self._erase()
        self._stream.write(f"{level}: {text}\n" if level != "info" else f"{text}\n")
        self._stream.flush()
