"""A clock whose time passes only while everybody waits: minutes of Azure take milliseconds of a test."""

from __future__ import annotations

import heapq
import threading
import time
from typing import Final

# How long, in real seconds, nobody may have asked for the time or begun to wait before the time of the first sleeper
# comes. A thread that computes for longer finds that time has passed, as it would anywhere.
QUIET: Final = 0.004


class Clock:
    """Seconds since its making; safe between threads."""

    def __init__(self) -> None:
        self._now, self._touched = 0.0, time.monotonic()
        self._sleepers: list[float] = []
        self._changed = threading.Condition()

    def now(self) -> float:
        """The time, in seconds."""
        with self._changed:
            self._touched = time.monotonic()
            return self._now

    def sleep(self, seconds: float) -> None:
        """Wait until ``seconds`` have passed on this clock."""
        if seconds <= 0:
            return
        with self._changed:
            until = self._now + seconds
            heapq.heappush(self._sleepers, until)
            self._touched = time.monotonic()
            while self._now < until:
                quiet = time.monotonic() - self._touched
                if self._sleepers[0] == until and quiet >= QUIET:
                    self._now, self._touched = until, time.monotonic()
                    self._changed.notify_all()
                else:
                    self._changed.wait(max(QUIET - quiet, QUIET / 4))
            self._sleepers.remove(until)
            heapq.heapify(self._sleepers)
            self._touched = time.monotonic()
            self._changed.notify_all()
