"""Processes that the script starts: what they may keep of the server, what they can import, and their end."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterable
from contextlib import suppress
from types import ModuleType
from typing import Any

SCRIPT = "MLDEPLOY_ENTRY_MODULE"
"""Where processes that the script starts find it: `shims/entry/entry_module.py` loads it from there."""
_GRACE_SECONDS = 2.0


class _Main(ModuleType):
    """`__main__` for the script: its own names, for pickles of classes that were defined where a model was trained.

    Without a file and without a spec, so that `multiprocessing` does not start the server again in its children.
    """

    def __getattr__(self, name: str) -> Any:
        script = sys.modules.get("entry_module")
        if script is None or name.startswith("__") or not hasattr(script, name):
            raise AttributeError(f"module '__main__' has no attribute {name!r}")
        return getattr(script, name)


def prepare(entry_script: str) -> None:
    """Let the processes that the script starts find it, and only it."""
    os.environ[SCRIPT] = entry_script
    sys.modules["__main__"] = _Main("__main__")


_ENDS = (signal.SIGTERM, signal.SIGINT)


def leave_to_supervisor(_number: int, _frame: object) -> None:
    """Terminals and process managers signal whole groups; the supervisor says what to do."""


class Children:
    """Watches over the forks of one server process."""

    def __init__(self, descriptors: Callable[[], Iterable[int]]) -> None:
        """`descriptors`: what belongs to the server alone; a child that kept its sockets would hold its port."""
        self.pid = os.getpid()
        self.own = False
        """True while the server itself forks."""
        self._descriptors = descriptors
        self._mask = threading.local()
        os.register_at_fork(before=self._hold, after_in_parent=self._let, after_in_child=self._begin)

    def _hold(self) -> None:
        # What is sent to a child before it has its own way with signals waits until then.
        self._mask.before = signal.pthread_sigmask(signal.SIG_BLOCK, _ENDS)

    def _let(self) -> None:
        signal.pthread_sigmask(signal.SIG_SETMASK, self._mask.before)

    def _begin(self) -> None:
        try:
            if not self.own and os.getppid() == self.pid:
                self._close()
        finally:
            self._let()

    def _close(self) -> None:
        for number in _ENDS:
            # A pool ends its processes with SIGTERM, and waits until they have.
            if signal.getsignal(number) is leave_to_supervisor:
                signal.signal(number, signal.SIG_DFL)
        # Their numbers stay taken, because objects of the server that still have them may close them later.
        nothing = os.open(os.devnull, os.O_RDWR)
        for descriptor in self._descriptors():
            if descriptor >= 0:
                os.dup2(nothing, descriptor, inheritable=False)
        os.close(nothing)

    def end_child(self) -> None:
        """A child whose script code has returned is done: what follows is the server's, and that is its parent."""
        if os.getpid() == self.pid:
            return
        problem = sys.exc_info()[1]
        code = 0
        if isinstance(problem, SystemExit):
            code = problem.code if isinstance(problem.code, int) else int(problem.code is not None)
        elif problem is not None:
            traceback.print_exc()
            code = 1
        with suppress(Exception):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)


class Groups:
    """The process groups of workers that have ended: nothing that a script started outlives its worker."""

    def __init__(self) -> None:
        self._ending: dict[int, float] = {}

    def end(self, leader: int) -> None:
        """Ask what is left of a worker's group to end."""
        if leader and self._signal(leader, signal.SIGTERM):
            self._ending[leader] = time.monotonic() + _GRACE_SECONDS

    def tick(self) -> None:
        """Kill what did not end in time."""
        now = time.monotonic()
        for leader, deadline in list(self._ending.items()):
            if not self._signal(leader, signal.SIGKILL if now > deadline else 0):
                del self._ending[leader]

    def finish(self) -> None:
        """Wait until all are gone."""
        while self._ending:
            self.tick()
            time.sleep(0.01)

    def _signal(self, leader: int, number: int) -> bool:
        try:
            os.killpg(leader, number)
        except (ProcessLookupError, PermissionError):
            return False
        return True
