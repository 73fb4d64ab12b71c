"""A readiness loop that either of two threads may run, one at a time.

asyncio binds its loop to a thread: while `run()` works in that thread, nothing else is answered. This one
can be taken over by another thread in the middle of a `run()`, with every connection it holds (see
`baton.py`), so that short calls need no hand-over between threads and long ones block nobody.
"""

from __future__ import annotations

import os
import select
import time
from collections.abc import Callable

Handler = Callable[[int], None]

READ = select.EPOLLIN
WRITE = select.EPOLLOUT


class Loop:
    """epoll with a handler a descriptor. All methods but `wake` are for the thread that holds the baton."""

    def __init__(self) -> None:
        self._epoll = select.epoll()
        self._handlers: dict[int, Handler] = {}
        self._wake_read, self._wake_write = os.pipe()
        os.set_blocking(self._wake_read, False)
        os.set_blocking(self._wake_write, False)
        self.now = time.monotonic()
        self.add(self._wake_read, READ, self._woken)

    def add(self, fd: int, events: int, handler: Handler) -> None:
        """Call `handler(events)` whenever `fd` is ready."""
        self._handlers[fd] = handler
        self._epoll.register(fd, events)

    @property
    def descriptors(self) -> list[int]:
        """All that belongs to the loop, and what it watches."""
        return [self._epoll.fileno(), self._wake_write, *self._handlers]

    def change(self, fd: int, events: int) -> None:
        """Wait for other events on `fd`."""
        self._epoll.modify(fd, events)

    def remove(self, fd: int) -> None:
        """Forget `fd`; call it before closing it."""
        if self._handlers.pop(fd, None) is not None:
            self._epoll.unregister(fd)

    def poll(self, timeout: float) -> None:
        """Wait at most `timeout` seconds, then call the handlers of what is ready."""
        ready = self._epoll.poll(timeout, 512)
        self.now = time.monotonic()
        for fd, events in ready:
            # An earlier handler of this round may have closed it.
            handler = self._handlers.get(fd)
            if handler is not None:
                handler(events)

    def wake(self) -> None:
        """Make a waiting `poll` return. Any thread may call it."""
        try:
            os.write(self._wake_write, b"\0")
        except BlockingIOError:
            return  # the pipe is full of wake-ups already

    def _woken(self, _events: int) -> None:
        try:
            os.read(self._wake_read, 4096)
        except BlockingIOError:
            return
