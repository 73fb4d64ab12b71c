"""The program's event loop: the SDK's calls run on threads beside it, and their answers come back in batches.

The SDK hands every call to `run_in_executor`. A thread pool with one thread for each would have them all take
turns on the interpreter's lock, and would wake the loop once for each answer. Here one thread at a time works
through the calls; it lets another one on while it waits for something outside (a provider, the disk). Answers
that are ready together reach the loop together.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any

from mldeploy.engine.base.waiting import work_for

# Answers are kept back for at most this long while more calls are being worked on.
_BATCH_SECONDS = 0.005
# A call that keeps the threads for this long without saying that it waits gets company.
_STALL_SECONDS = 0.03

Job = tuple["asyncio.Future[Any]", Callable[..., Any], tuple[Any, ...]]


class Calls:
    """Threads for the calls of one program: at most `limit`, as many as needed, one of them busy if possible."""

    def __init__(self, loop: asyncio.AbstractEventLoop, limit: int) -> None:
        self._loop = loop
        self._limit = limit
        self._jobs: deque[Job] = deque()
        self._answers: deque[tuple[asyncio.Future[Any], Any, BaseException | None]] = deque()
        self._lock = threading.Lock()
        self._more = threading.Condition(self._lock)
        self._threads: list[threading.Thread] = []
        self._idle = 0
        self._busy = 0
        self._extra = 0
        self._taken = 0
        self._taken_before = -1
        self._watching = False
        self._waking = False
        self._delivered = 0.0
        self._closed = False

    # -- on the loop ---------------------------------------------------------------------------------------

    def submit(self, function: Callable[..., Any], args: tuple[Any, ...]) -> asyncio.Future[Any]:
        """Call the function on a thread."""
        future: asyncio.Future[Any] = self._loop.create_future()
        with self._lock:
            self._jobs.append((future, function, args))
            if self._busy == 0:
                self._summon()
        if not self._watching:
            self._watching = True
            self._loop.call_later(_STALL_SECONDS, self._watch)
        return future

    def _watch(self) -> None:
        """See to it that waiting calls are taken up and that answers are not kept back for long."""
        with self._lock:
            stalled = bool(self._jobs) and self._taken == self._taken_before
            self._taken_before = self._taken
            if stalled:
                self._extra = 1
                self._summon()
            self._watching = bool(self._jobs) or self._busy > 0
        if self._answers:
            self._deliver()
        if self._watching:
            self._loop.call_later(_STALL_SECONDS, self._watch)

    def _deliver(self) -> None:
        self._waking = False
        self._delivered = time.monotonic()
        while self._answers:
            future, result, error = self._answers.popleft()
            if future.done():  # Cancelled: the program has ended.
                continue
            if error is not None:
                future.set_exception(error)
            else:
                future.set_result(result)

    # -- on the threads ------------------------------------------------------------------------------------

    def _summon(self) -> None:
        """Have one more thread take up calls; the lock is held."""
        if self._idle > 0:
            self._more.notify()
        elif len(self._threads) < self._limit:
            thread = threading.Thread(target=self._work, name=f"call-{len(self._threads)}")
            self._threads.append(thread)
            thread.start()

    def _work(self) -> None:
        work_for(self)
        while (job := self._next()) is not None:
            future, function, args = job
            result, failure = None, None
            try:
                result = function(*args)
            except BaseException as error:  # Whatever it is, it is the caller's.
                failure = error
            self._answers.append((future, result, failure))
            with self._lock:
                self._busy -= 1
                enough = not self._jobs or time.monotonic() - self._delivered > _BATCH_SECONDS
            if enough:
                self._wake()
            del job, future, function, args, result, failure

    def _next(self) -> Job | None:
        with self._lock:
            while not (self._jobs and (self._busy == 0 or self._extra)):
                if self._closed and not self._jobs:
                    self._more.notify_all()
                    return None
                self._idle += 1
                self._more.wait()
                self._idle -= 1
            if self._busy:
                self._extra = 0
            self._busy += 1
            self._taken += 1
            return self._jobs.popleft()

    def pause(self) -> None:
        """This thread is about to wait."""
        with self._lock:
            self._busy -= 1
            if self._jobs and self._busy <= 0:
                self._summon()
        if self._answers:
            self._wake()

    def resume(self) -> None:
        """This thread goes on."""
        with self._lock:
            self._busy += 1

    def _wake(self) -> None:
        if not self._waking:
            self._waking = True
            self._loop.call_soon_threadsafe(self._deliver)

    def close(self) -> None:
        """Finish every call that was handed in and end the threads."""
        with self._lock:
            self._closed = True
            self._more.notify_all()
        for thread in self._threads:
            thread.join()


class ProgramLoop(asyncio.SelectorEventLoop):
    """Runs the SDK's calls on `Calls`, anything else the program hands to a thread as usual."""

    def __init__(self, limit: int) -> None:
        super().__init__()
        self.calls = Calls(self, limit)

    def run_in_executor(self, executor: Any, func: Callable[..., Any], *args: Any) -> Any:
        """As asyncio has it."""
        if executor is None and (getattr(func, "__module__", None) or "").startswith("pulumi.runtime."):
            return self.calls.submit(func, args)
        return super().run_in_executor(executor, func, *args)
