"""Calls of `run()`: the arguments, the call, its interruption after the time limit, and the answer."""

from __future__ import annotations

import ctypes
import inspect
import os
import signal
import sys
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any, cast

from serving import messages, metrics
from serving.logs import Log, current
from serving.messages import Piece, Request, Response
from serving.remedies import remedy
from serving.script import InputError, Script, Style
from serving.streaming import Stream, of_values
from serving.telemetry import Telemetry

_INTERNAL = "An unexpected internal error occurred. Check the logs for more info."
_SCRIPT = "An unexpected error occurred in scoring script. Check the logs for more info."
_RUNS = ("GET", "HEAD", "POST")
_SCHEMA_PACKAGE = f"{os.sep}inference_schema{os.sep}"
_LONGEST_REASON = 500
_TOO_SLOW = "The answer took too long."
INTERRUPT = signal.SIGRTMIN + 6


class ScoringTimeout(BaseException):
    """Raised inside `run()` when its time is over. Scripts that catch every Exception do not catch it."""


class Slot:
    """One place where `run()` may be running."""

    def __init__(self) -> None:
        self.thread = threading.get_ident()
        self.requests: list[Request] = []
        self.since = 0.0
        self.limit = 0.0
        self.steps: deque[Request] = deque()
        """Answers in pieces that began here and whose next piece may be made."""
        self.step_is_next = False
        self.is_step = False
        self.abandoned = False
        self.interruptible = False
        self.interrupted = False


BatchWork = Callable[["Execution", Slot, list[Request]], "list[Response | Piece]"]
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
        self.end_child: Callable[[], None] = lambda: None
        """Does not come back in a child process that the script forked."""
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

    def timed_out(self, slot: Slot, request: Request) -> Response | Piece:
        """The answer when what a slot runs, `run()` or a piece of its stream, took too long."""
        if slot.is_step and request.stream is not None:
            return Piece(request.stream.broken(_TOO_SLOW), failed=504)
        return self._too_long()

    def _too_long(self) -> Response:
        return messages.error(504, f"Scoring timeout after {self._timeout_ms} ms", failed=True)

    def work(self, slot: Slot, requests: list[Request]) -> list[Response | Piece]:
        """The answers to requests: one call of `run()`, one of `run_batch()` for several, or a stream's next piece."""
        if len(requests) > 1:
            return self._work_batch(self, slot, requests)
        request = requests[0]
        current.request_id = request.request_id
        if request.stream is not None:
            return [self._step(slot, request, request.stream)]
        try:
            if request.method not in _RUNS and self.script.style is not Style.RAW:
                return [messages.error(405, "Method not allowed")]
            arguments = self.script.arguments(request)
            return [self._call(slot, request, arguments)]
        except InputError as problem:
            return [messages.error(problem.status, str(problem))]
        except BaseException as problem:
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
            response = http_response(result, request)
            if response is not None and response.stream is not None:
                self._open(slot, response, response.stream)
        except ScoringTimeout as problem:
            self._trace(request, problem)
            return self._too_long()
        except BaseException as problem:
            meant = _meant(problem) or self._misfit(problem)
            if meant is None:
                self._trace(request, problem)
            return meant or self.script_failed(problem)
        finally:
            seconds = time.perf_counter() - start
            request.run_ms = seconds * 1000
            row[metrics.RUN_SECONDS] += seconds
            if self.telemetry is not None:
                self.telemetry.leave(request)
        if response is None:
            response = json_answer(result, self.script.frame_orient)
        response.head += f"x-ms-run-fn-exec-ms: {request.run_ms:.3f}\r\n"
        return response

    def _trace(self, request: Request, problem: BaseException) -> None:
        if self.telemetry is not None:
            self.telemetry.failed(request, problem)

    def _open(self, slot: Slot, response: Response, stream: Stream) -> None:
        """Make the first piece: until it is there, the answer can still be an error."""
        stream.slot = slot
        first = self.guarded(slot, stream.advance, {})
        if first is None:
            response.stream = None
        else:
            response.body = cast("bytes", first)

    def _step(self, slot: Slot, request: Request, stream: Stream) -> Piece:
        """Make the next piece, or let the script clean up for a client that is gone."""
        start = time.perf_counter()
        try:
            if stream.cancelled:
                self.guarded(slot, stream.close, {})
                return Piece(b"", last=True)
            data = self.guarded(slot, stream.advance, {})
            return Piece(b"", last=True) if data is None else Piece(cast("bytes", data))
        except ScoringTimeout as problem:
            self.log.script_failure("a piece of the answer took too long", problem)
            return Piece(stream.broken(_TOO_SLOW), failed=504)
        except BaseException as problem:
            self._row[metrics.RUN_FAILED] += 1
            self.log.script_failure("run() raised an exception after the beginning of its answer", problem)
            return Piece(stream.broken(_SCRIPT), failed=500)
        finally:
            seconds = time.perf_counter() - start
            request.run_ms += seconds * 1000
            self._row[metrics.RUN_SECONDS] += seconds
            current.request_id = ""

    def _misfit(self, problem: BaseException) -> Response | None:
        """The answer when the input does not fit the script's schema: raised before any code of the script ran."""
        if self.script.style is not Style.SCHEMA or not isinstance(problem, Exception):
            return None
        codes = [frame.f_code for frame, _ in traceback.walk_tb(problem.__traceback__)]
        files = [code.co_filename for code in codes]
        own = self.script.path in files or inspect.unwrap(self.script.run).__code__ in codes
        if own or not any(_SCHEMA_PACKAGE in name for name in files):
            return None
        reason = f"{type(problem).__name__}: {problem}"
        self.log.warning(f"the input does not fit the schema of run(): {reason}")
        return messages.error(400, f"The input does not fit the schema of run(): {reason[:_LONGEST_REASON]}")

    def script_failed(self, problem: BaseException) -> Response:
        """The answer when `run()` raised; what it raised is in the log only."""
        self._row[metrics.RUN_FAILED] += 1
        self.log.script_failure("run() raised an exception", problem)
        if help_ := remedy(f"{type(problem).__name__}: {problem}"):
            self.log.error(f"what helps: {help_}")
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
            self.end_child()
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


def _meant(problem: BaseException) -> Response | None:
    """The answer that Werkzeug's exceptions stand for: `abort(404)`, `request.get_json()` of what is no JSON."""
    # Without this module nobody can have raised any.
    if "werkzeug.exceptions" not in sys.modules:
        return None
    from serving import raw

    return raw.http_error(problem)


def http_response(result: object, request: Request) -> Response | None:
    """The answer for an HTTP response that `run()` made itself, or for values that it yields; None for all else.

    Raises:
        BaseException: what the script's own objects raise; `ResponseError`: no response that could be sent.
    """
    if hasattr(result, "get_data"):
        from serving import raw

        return raw.convert(result) if raw.is_response(result) else None
    if isinstance(result, Iterator):
        stream, headers = of_values(cast("Iterator[object]", result), request.header(b"accept"))
        return Response(200, b"", headers, head="x-ms-run-function-failed: False\r\n", stream=stream)
    return None


def json_answer(result: object, frame_orient: str) -> Response:
    """The answer for what `run()` returned.

    Args:
        result: what it returned.
        frame_orient: how a DataFrame is written.

    Raises:
        TypeError, ValueError: the result cannot be written as JSON.
    """
    try:
        return messages.json_response(200, {} if result is None else result)
    except TypeError:
        if not _is_frame(result):
            raise
    text = cast("Any", result).to_json(orient=frame_orient, date_format="iso")
    head = f"Content-Type: {messages.JSON_TYPE}\r\nx-ms-run-function-failed: False\r\n"
    return Response(200, text.encode(), [], head=head)


def _is_frame(result: object) -> bool:
    pandas = sys.modules.get("pandas")
    return pandas is not None and isinstance(result, pandas.DataFrame)
