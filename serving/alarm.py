"""A timer that a thread can sleep on without ever asking for Python's interpreter lock (Linux: timerfd).

A thread that wakes up every few milliseconds only to see that nothing is wrong costs a busy one-thread program a tenth
of its speed, because each time the interpreter lock changes hands twice. Here the busy thread moves the alarm before
each call, and the sleeper wakes only when a call really takes too long.
"""

from __future__ import annotations

import ctypes
import os

_CLOCK_MONOTONIC = 1


class _TimerSpec(ctypes.Structure):
    """`struct itimerspec`."""

    _fields_ = (
        ("interval_seconds", ctypes.c_long),
        ("interval_nanoseconds", ctypes.c_long),
        ("seconds", ctypes.c_long),
        ("nanoseconds", ctypes.c_long),
    )


# PyDLL keeps the interpreter lock: these calls never block. (`os` has them from Python 3.13 on only.)
_libc = ctypes.PyDLL(None, use_errno=True)
_set_time = _libc.timerfd_settime
_AT_ONCE = ctypes.byref(_TimerSpec(nanoseconds=1))


class Alarm:
    """Goes off once, `seconds` after the last `move()`."""

    def __init__(self, seconds: float) -> None:
        """Make the timer; it does not run yet.

        Raises:
            OSError: the process has no descriptors left.
        """
        self.fd: int = _libc.timerfd_create(_CLOCK_MONOTONIC, os.O_CLOEXEC)
        if self.fd < 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))
        whole = int(seconds)
        self._spec = ctypes.byref(_TimerSpec(seconds=whole, nanoseconds=int((seconds - whole) * 1e9)))

    def move(self) -> None:
        """Let it go off `seconds` from now, and not before."""
        _set_time(self.fd, 0, self._spec, None)

    def fire(self) -> None:
        """Let it go off now."""
        _set_time(self.fd, 0, _AT_ONCE, None)

    def wait(self) -> None:
        """Sleep until it goes off."""
        os.read(self.fd, 8)

    def close(self) -> None:
        """Free the descriptor; nobody may be waiting."""
        os.close(self.fd)
        self.fd = -1
