"""A clock whose time passes only while everybody waits: minutes of Azure take milliseconds of a test."""

from __future__ import annotations

import heapq
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

# How long, in real seconds, nobody may have asked for the time or begun to wait before the time of the first sleeper
# comes: what is between two calls (the engine, the program) gets that long.
QUIET: Final = 0.001
# After how many seconds a call that neither sleeps nor ends is taken to wait for something else.
STUCK: Final = 5.0


class Clock:
    """Seconds since its making; safe between threads."""

    def __init__(self) -> None:
        self._now, self._touched = 0.0, time.monotonic()
        self._sleepers: list[float] = []
        self._working = 0
        self._changed = threading.Condition()

    def now(self) -> float:
        """The time, in seconds."""
        with self._changed:
            self._touched = time.monotonic()
            return self._now

    @contextmanager
    def working(self) -> Iterator[None]:
        """A call that takes no time of its own: none passes before it sleeps or ends, however busy this machine is.

        Else half an hour would pass while an answer is on its way, and whoever waits for something would give up.
        """
        with self._changed:
            self._working += 1
        try:
            yield
        finally:
            with self._changed:
                self._working -= 1
                self._touched = time.monotonic()
                self._changed.notify_all()

    def sleep(self, seconds: float) -> None:
        """Wait until ``seconds`` have passed on this clock."""
        if seconds <= 0:
            return
        with self._changed:
            until = self._now + seconds
            heapq.heappush(self._sleepers, until)
            self._touched = time.monotonic()
            self._changed.notify_all()
            while self._now < until:
                left = self._pause() - (time.monotonic() - self._touched)
                if self._sleepers[0] != until:
                    self._changed.wait()  # it is woken when its turn comes
                elif left > 0:
                    self._changed.wait(left)
                else:
                    self._now, self._touched = until, time.monotonic()
                    self._changed.notify_all()
            self._sleepers.remove(until)
            heapq.heapify(self._sleepers)
            self._touched = time.monotonic()
            self._changed.notify_all()

    def _pause(self) -> float:
        # A call's threads may sleep in its place, so who sleeps is counted and not named.
        return QUIET if len(self._sleepers) >= self._working else STUCK
