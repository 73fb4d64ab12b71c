"""Who runs what: the requests' line, `run()` in the main thread, and the loop's baton.

v1 called `init()` and `run()` in the process's main thread, one call at a time; scripts rely on it
(thread-local state of frameworks, SQLite connections, signals). So the main thread runs the script here too.
It also runs the loop, as long as calls are short: no hand-over between threads. A call that takes longer is
noticed by the standby thread, which takes the baton and goes on with the loop, so that health checks,
refusals and other connections are served meanwhile. When calls are known to be long, the baton is given away
before.
"""

from __future__ import annotations

import sys
import threading
import time
from collections import deque
from collections.abc import Callable

from serving import messages, metrics
from serving.alarm import Alarm
from serving.config import Config
from serving.execution import Execution, Slot
from serving.loop import Loop
from serving.messages import Piece, Request, Response

SHORT = 0.005
"""Calls up to this many seconds are made by the thread that runs the loop."""
_LONG = 4 * SHORT
_STEAL = 0.015
_SLICE = 0.004
_STUCK_SECONDS = 2.0
_IDLE_POLL = 2.0
_BUSY_POLL = 0.25


class Runner:
    """The line of requests and the threads that work on it."""

    def __init__(self, config: Config, loop: Loop, counters: metrics.Counters) -> None:
        self.execution: Execution | None = None
        self.on_tick: Callable[[], None] = lambda: None
        self.next_tick = 0.0
        self.patience: Callable[[], float] = lambda: _IDLE_POLL
        self.on_stuck: Callable[[], None] = lambda: None
        self.stopping = False
        self.batch_limit = 1
        self._config = config
        self._loop = loop
        self._row = counters.row
        self._queue: deque[Request] = deque()
        self._answers: deque[tuple[Request, Response | Piece]] = deque()
        self._main = Slot()
        self._slots = [self._main]
        self._lock = threading.Lock()
        self._work = threading.Condition(self._lock)
        self._alarm = Alarm(_STEAL)
        self._main_has_baton = False
        self._wanted_back = False
        self._average = 2 * SHORT
        self._typical = 0.0
        self._stuck_told = False
        self._threads: list[threading.Thread] = []

    # -- the line ----

    @property
    def waiting(self) -> int:
        """Requests in line."""
        return len(self._queue)

    @property
    def running(self) -> int:
        """Calls being made."""
        return sum(1 for slot in self._slots if slot.requests)

    def submit(self, request: Request) -> Response | None:
        """Put a request in line, or say why not. For the thread with the baton."""
        config = self._config
        waiting = len(self._queue)
        if waiting and waiting >= config.replica_max_concurrent_requests - self.running:
            expected = waiting / config.replica_max_concurrent_requests * self._typical
            if waiting >= config.max_queue or expected > config.max_wait:
                return messages.overload(429, "Too many requests are waiting", expected)
        self._queue.append(request)
        if not self._main_has_baton:
            with self._work:
                self._work.notify()
        return None

    def resume(self, request: Request) -> None:
        """Put an answer in pieces in line for its next one. For the thread with the baton."""
        stream = request.stream
        if stream is None or stream.waiting or stream.over:
            return
        stream.waiting = True
        stream.slot.steps.append(request)
        if not self._main_has_baton or stream.slot is not self._main:
            with self._work:
                self._work.notify_all()

    def cancel(self, request: Request) -> None:
        """Nobody takes the further pieces: the script's generator is closed. For the thread with the baton."""
        if request.stream is not None:
            request.stream.cancelled = True
            self.resume(request)

    def _next(self, slot: Slot, *, steps_only: bool = False) -> list[Request]:
        """What to run next: a request, or the next piece of a stream that began in this slot, in turn.

        Requests that waited too long are answered instead.
        """
        if slot.steps and (steps_only or slot.step_is_next or not self._queue):
            slot.step_is_next = False
            return [slot.steps.popleft()]
        slot.step_is_next = True
        if steps_only:
            return []
        limit = self._loop.now - self._config.max_wait
        taken: list[Request] = []
        while self._queue and len(taken) < self.batch_limit:
            request = self._queue.popleft()
            if request.arrived < limit:
                self._late(request)
            elif request.connection is not None:
                taken.append(request)
        return taken

    def _take(self, slot: Slot, *, steps_only: bool = False) -> list[Request]:
        """`_next` for a thread without the baton."""
        requests = self._next(slot, steps_only=steps_only)
        if self._answers:
            self._loop.wake()
        return requests

    def _late(self, request: Request) -> None:
        if self.execution is None:
            answer = messages.overload(503, "The service is starting", 5)
        else:
            waited = self._config.max_request_wait_time
            answer = messages.overload(503, f"No free place within {waited} ms", self._average)
        self._answers.append((request, answer))

    def _drop_late(self) -> None:
        limit = self._loop.now - self._config.max_wait
        with self._lock:
            while self._queue and self._queue[0].arrived < limit:
                self._late(self._queue.popleft())

    # -- the loop's owner ----

    def _turn(self) -> None:
        """One round of the loop. For the thread with the baton."""
        # The main thread is here: if there are no other threads for calls, none is being made.
        alone = self._main_has_baton and len(self._slots) == 1
        if self._main_has_baton and (self._queue or self._main.steps):
            timeout = 0.0
        elif self._queue or (not alone and self.running):
            timeout = min(_BUSY_POLL, max(0.005, self._config.max_wait / 4), self._until_timeout())
        else:
            timeout = self.patience()
        self._loop.poll(timeout)
        if self._answers:
            self._answer()
        if self._queue and (not alone or self._queue[0].arrived < self._loop.now - self._config.max_wait):
            self._drop_late()
            if self._answers:
                self._answer()
        if not alone:
            self._check_slots()
        row = self._row
        row[metrics.HEARTBEAT] = self._loop.now
        row[metrics.QUEUED] = len(self._queue)
        if self._loop.now >= self.next_tick:
            self.on_tick()

    def _until_timeout(self) -> float:
        started = [slot.since + slot.limit for slot in self._slots if slot.requests and not slot.abandoned]
        if not started:
            return _IDLE_POLL
        return max(0.0, min(started) - time.monotonic())

    def _answer(self) -> None:
        while self._answers:
            self._deliver(*self._answers.popleft())

    def _deliver(self, request: Request, answer: Response | Piece) -> None:
        """Give an answer, or a piece of one, to whoever still waits for it."""
        connection = request.connection
        if isinstance(answer, Piece):
            stream = request.stream
            assert stream is not None
            stream.waiting = False
            if stream.over:
                return  # it took too long, and was over then
            stream.over = answer.last
            if stream.cancelled or connection is None:
                self.cancel(request)
            else:
                connection.piece(request, answer)
            return
        request.stream = answer.stream
        if not request.finished and connection is not None:
            request.finished = answer.stream is None
            connection.respond(request, answer)
        else:
            self.cancel(request)

    def _check_slots(self) -> None:
        execution = self.execution
        if execution is None:
            return
        for slot in self._slots:
            if not slot.requests:
                continue
            over = self._loop.now - slot.since - slot.limit
            if over < 0:
                continue
            if not slot.abandoned:
                self._row[metrics.TIMEOUTS] += 1
                self._answers.extend(
                    (request, execution.timed_out(slot, request)) for request in slot.requests
                )
                execution.interrupt(slot)
                self._answer()
            elif over > _STUCK_SECONDS and not self._stuck_told:
                self._stuck_told = True
                self.on_stuck()

    # -- threads ----

    def start(self) -> None:
        """Start the standby thread with the baton; the main thread is free to load the script."""
        self._spawn(self._standby, "standby")

    def _spawn(self, target: Callable[[], None], name: str) -> None:
        thread = threading.Thread(target=target, name=name, daemon=True)
        self._threads.append(thread)
        thread.start()

    @property
    def descriptors(self) -> list[int]:
        """The standby thread's clock."""
        return [self._alarm.fd]

    def retreat(self) -> None:
        """End the standby thread (before forking). Call it in the main thread, before `serve`."""
        self.stopping = True
        self._alarm.fire()
        self._loop.wake()
        for thread in self._threads:
            thread.join()
        self._threads.clear()
        self.stopping = False

    def serve(self, execution: Execution) -> None:
        """Run the script for requests until stopped. Call it in the main thread."""
        self.execution = execution
        execution.install(self._main)
        for number in range(1, self._config.replica_max_concurrent_requests):
            self._spawn(self._runner, f"runner-{number}")
        self._serve_detached()
        while not self.stopping:
            self._turn()
            self._run_short()

    def _run_short(self) -> None:
        """Main thread, with the baton: work for a moment, then look at the sockets again."""
        end = self._loop.now + _SLICE
        while self._queue or self._main.steps:
            requests = self._next(self._main)
            if self._answers:
                self._answer()
            if not requests:
                continue
            if self._average > SHORT:
                with self._lock:
                    self._main_has_baton = False
                    self._hold(self._main, requests)
                    self._alarm.fire()
                    self._work.notify_all()
                self._work_detached(self._main, requests)
                self._serve_detached()
                return
            if not self._run_inline(requests):
                self._serve_detached()
                return
            if time.monotonic() > end:
                return

    def _run_inline(self, requests: list[Request]) -> bool:
        """Run with the baton in hand; False when the standby thread had to take it."""
        assert self.execution is not None
        slot = self._main
        self._hold(slot, requests)
        self._alarm.move()
        responses = self.execution.work(slot, requests)
        with self._lock:
            kept = self._main_has_baton
            self._free(slot, requests)
        if not kept:
            self._answers.extend(zip(requests, responses, strict=True))
            self._loop.wake()
            return False
        for request, response in zip(requests, responses, strict=True):
            self._deliver(request, response)
        return True

    def _hold(self, slot: Slot, requests: list[Request]) -> None:
        slot.abandoned = False
        slot.since = time.monotonic()
        config = self._config
        slot.is_step = requests[0].stream is not None
        slot.limit = config.stream_timeout if slot.is_step else config.run_timeout
        slot.requests = requests

    def _free(self, slot: Slot, requests: list[Request]) -> None:
        whole = time.monotonic() - slot.since
        self._average += 0.2 * (min(whole, _LONG) / len(requests) - self._average)
        # For the forecast of waiting times: one long call must not make the server refuse many short ones.
        each = min(whole, 2 * self._config.max_wait) / len(requests)
        self._typical += (0.1 if each > self._typical else 0.5) * (each - self._typical)
        slot.requests = []
        if slot.abandoned:
            self._stuck_told = False

    def _work_detached(self, slot: Slot, requests: list[Request]) -> None:
        """Run without the baton; its owner sends the answers."""
        assert self.execution is not None
        responses = self.execution.work(slot, requests)
        with self._lock:
            self._free(slot, requests)
        self._answers.extend(zip(requests, responses, strict=True))
        self._loop.wake()

    def _serve_detached(self) -> None:
        """Main thread without the baton: run what is in line, until calls are short again."""
        while not self.stopping:
            with self._lock:
                if self._average <= SHORT:
                    self._wanted_back = True
                    self._loop.wake()
                    while not self._main_has_baton and not self.stopping:
                        self._work.wait()
                    return
                requests = self._take(self._main)
                while not requests and not self.stopping and self._average > SHORT:
                    self._work.wait()
                    requests = self._take(self._main)
                if requests:
                    self._hold(self._main, requests)
            if requests:
                self._work_detached(self._main, requests)

    def _runner(self) -> None:
        """Further threads, when more than one call at a time is allowed and calls are long."""
        slot = Slot()
        with self._lock:
            self._slots.append(slot)
        while True:
            with self._lock:
                requests = self._take(slot, steps_only=self._main_has_baton)
                while not requests:
                    self._work.wait()
                    if self.stopping:
                        return
                    requests = self._take(slot, steps_only=self._main_has_baton)
                self._hold(slot, requests)
            self._work_detached(slot, requests)

    def _standby(self) -> None:
        """The thread that has the loop whenever the main thread is busy."""
        while not self.stopping:
            if not self._main_has_baton:
                self._turn()
                if self._wanted_back:
                    with self._lock:
                        self._wanted_back = False
                        self._main_has_baton = True
                        self._work.notify_all()
                    sys.setswitchinterval(0.005)
                continue
            self._alarm.wait()
            with self._lock:
                slot = self._main
                if self._main_has_baton and slot.requests and time.monotonic() - slot.since >= _STEAL:
                    self._main_has_baton = False
                    self._work.notify_all()
                    # The script's Python code must let this thread in more often than usual.
                    sys.setswitchinterval(0.001)

    def stop(self) -> None:
        """Let the threads end. For the thread with the baton."""
        self.stopping = True
        with self._lock:
            self._work.notify_all()
        self._alarm.fire()
        self._loop.wake()
