"""Calls of `run()`: the arguments, the call, its interruption after the time limit, and the answer."""

from __future__ import annotations

import ctypes
import signal
import threading
import time
from collections.abc import Callable
from typing import Any

from serving import messages, metrics
from serving.logs import Log, current
from serving.messages import Request, Response
from serving.script import InputError, Script, Style
from serving.telemetry import Telemetry

_INTERNAL = "An unexpected internal error occurred. Check the logs for more info."
_SCRIPT = "An unexpected error occurred in scoring script. Check the logs for more info."
_RUNS = ("GET", "POST")
INTERRUPT = signal.SIGRTMIN + 6


class ScoringTimeout(BaseException):
    """Raised inside `run()` when its time is over. Scripts that catch every Exception do not catch it."""


class Slot:
    """One place where `run()` may be running."""

    def __init__(self) -> None:
        self.thread = threading.get_ident()
        self.requests: list[Request] = []
        self.since = 0.0
        self.abandoned = False
        self.interruptible = False
        self.interrupted = False


BatchWork = Callable[["Execution", Slot, list[Request]], list[Response]]
"""Answers to several requests from one call (`serving.batching.work_batch`)."""


class Execution:
    """Runs the script for requests and makes their answers."""

    def __init__(
        self, script: Script, log: Log, counters: metrics.Counters, timeout_ms: int, work_batch: BatchWork
    ) -> None:
        self.script = script
        self.log = log
        self._row = counters.row
        self.counters = counters
        self._timeout_ms = timeout_ms
        self._work_batch = work_batch
        self.telemetry: Telemetry | None = None
        self._main: Slot | None = None
        self._lock = threading.Lock()

    def install(self, slot: Slot) -> None:
        """Make the calling (main) thread interruptible, even out of a sleep."""
        self._main = slot
        signal.signal(INTERRUPT, self._on_signal)

    def _on_signal(self, _number: int, _frame: object) -> None:
        slot = self._main
        if slot is not None and slot.interruptible and slot.abandoned:
            slot.interruptible = False
            raise ScoringTimeout

    def interrupt(self, slot: Slot) -> None:
        """Try to end what runs in a slot; compiled code that does not return cannot be ended this way."""
        slot.abandoned = True
        if slot is self._main:
            signal.pthread_kill(slot.thread, INTERRUPT)
            return
        with self._lock:
            if slot.interruptible and not slot.interrupted:
                slot.interrupted = True
                ctypes.pythonapi.PyThreadState_SetAsyncExc(
                    ctypes.c_ulong(slot.thread), ctypes.py_object(ScoringTimeout)
                )

    def timed_out(self) -> Response:
        """The answer when `run()` took too long."""
        return messages.error(504, f"Scoring timeout after {self._timeout_ms} ms", failed=True)

    def work(self, slot: Slot, requests: list[Request]) -> list[Response]:
        """The answers to requests: one call of `run()`, or one of `run_batch()` for several."""
        if len(requests) > 1:
            return self._work_batch(self, slot, requests)
        request = requests[0]
        current.request_id = request.request_id
        try:
            if request.method not in _RUNS and self.script.style is not Style.RAW:
                return [messages.error(405, "Method not allowed")]
            arguments = self.script.arguments(request)
            return [self._call(slot, request, arguments)]
        except InputError as problem:
            return [messages.error(problem.status, str(problem))]
        except Exception as problem:
            self.log.failure("the answer could not be made", problem)
            return [messages.error(500, _INTERNAL)]
        finally:
            current.request_id = ""

    def _call(self, slot: Slot, request: Request, arguments: dict[str, Any]) -> Response:
        """Call `run()` and make the answer."""
        row = self._row
        row[metrics.RUNS] += 1
        if self.telemetry is not None:
            self.telemetry.enter(request)
        start = time.perf_counter()
        try:
            result = self.guarded(slot, self.script.run, arguments)
        except ScoringTimeout:
            return self.timed_out()
        except BaseException as problem:
            return self.script_failed(problem)
        finally:
            seconds = time.perf_counter() - start
            request.run_ms = seconds * 1000
            row[metrics.RUN_SECONDS] += seconds
            if self.telemetry is not None:
                self.telemetry.leave(request)
        return render(result, request.run_ms)

    def script_failed(self, problem: BaseException) -> Response:
        """The answer when `run()` raised; what it raised is in the log only."""
        self._row[metrics.RUN_FAILED] += 1
        self.log.failure("run() raised an exception", problem)
        return messages.error(500, _SCRIPT, failed=True)

    def guarded(self, slot: Slot, function: Any, arguments: dict[str, Any]) -> object:
        """Call the script's code so that `interrupt` can end it.

        Raises:
            ScoringTimeout: it was ended.
            BaseException: whatever the script raises.
        """
        try:
            slot.interruptible = True
            return function(**arguments)
        finally:
            if slot is self._main:
                slot.interruptible = False
            else:
                self._end_interruption(slot)

    def _end_interruption(self, slot: Slot) -> None:
        with self._lock:
            slot.interruptible = False
            pending = slot.interrupted
            slot.interrupted = False
        if pending:
            # It was thrown at this thread and arrives within a few instructions: here, not in code of ours.
            deadline = time.monotonic() + 1
            while time.monotonic() < deadline:
                time.sleep(0)


def render(result: object, run_ms: float) -> Response:
    """The answer for what `run()` returned.

    Raises:
        TypeError, ValueError: the result cannot be written as JSON.
    """
    timing = f"x-ms-run-fn-exec-ms: {run_ms:.3f}\r\n"
    if hasattr(result, "get_data"):
        from serving import raw

        if raw.is_response(result):
            response = raw.convert(result)
            response.head += timing
            return response
    response = messages.json_response(200, {} if result is None else result)
    response.head += timing
    return response
