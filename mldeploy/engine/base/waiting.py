"""How a thread says that it waits for something outside (a provider, the disk, its turn), so that another may run."""

from __future__ import annotations

import threading
from collections.abc import Generator
from contextlib import contextmanager
from typing import Protocol


class CallWorker(Protocol):
    """Who decides which threads run."""

    def pause(self) -> None:
        """This thread is about to wait."""
        ...

    def resume(self) -> None:
        """This thread goes on."""
        ...


_current = threading.local()


def work_for(worker: CallWorker) -> None:
    """This thread is one of the worker's from now on."""
    _current.worker = worker


@contextmanager
def waiting() -> Generator[None]:
    """Say that this thread waits for something outside, so that another call may run meanwhile."""
    worker: CallWorker | None = getattr(_current, "worker", None)
    if worker is None:
        yield
        return
    worker.pause()
    try:
        yield
    finally:
        worker.resume()
