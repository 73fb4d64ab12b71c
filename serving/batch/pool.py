"""Worker processes: mini batches are handed out, retried, and given up; workers that hang or die are replaced."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from multiprocessing import Pipe
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

from serving.batch.options import Options
from serving.batch.plan import MiniBatch
from serving.batch.progress import Console

_STARTS = 3
_END_SECONDS = 10.0
_START = (
    "import sys; sys.path[:] = [sys.argv[1], *filter(None, sys.path)]; from serving.batch import worker; "
    "sys.exit(worker.main(int(sys.argv[2]), int(sys.argv[3])))"
)
"""Not `-m`: that would look in the current folder first, where the script may have a module of the server's name."""


class StartError(Exception):
    """The entry script did not start; the message is its traceback."""


@dataclass
class Done:
    """A mini batch that needs no more tries."""

    batch: MiniBatch
    rows: int = 0
    failed: int = 0
    parts: list[list[Any]] = field(default_factory=list[list[Any]])
    errors: list[dict[str, str]] = field(default_factory=list[dict[str, str]])
    columns: list[str] | None = None


class Worker:
    """One process and what it does."""

    def __init__(self, number: int, settings: dict[str, Any]) -> None:
        self.number = number
        self.ready = False
        self.batch: MiniBatch | None = None
        self.deadline = float("inf")
        self.error = ""
        self.pipe, theirs = Pipe()
        folder = str(Path(__file__).resolve().parent.parent.parent)
        read, write = os.pipe()
        self.process = subprocess.Popen(
            [sys.executable, "-c", _START, folder, str(theirs.fileno()), str(os.getpid())],
            pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL,
            stdout=write,
            stderr=write,
            start_new_session=True,
        )
        theirs.close()
        os.close(write)
        os.set_blocking(read, False)
        self.output = open(read, "rb", buffering=0)  # noqa: SIM115, PTH123 (a descriptor, closed in end())
        self.silent = False
        self._partial = b""
        self.say(settings)

    def say(self, message: dict[str, Any]) -> None:
        """Send a message; a worker that died is found out later."""
        with contextlib.suppress(OSError):
            self.pipe.send_bytes(json.dumps(message).encode())

    def hear(self) -> dict[str, Any] | None:
        """The next message; None when the process is gone."""
        try:
            return json.loads(self.pipe.recv_bytes())
        except (EOFError, OSError):
            return None

    def lines(self) -> list[str]:
        """What the script printed."""
        data = b""
        while chunk := self.output.read(65536):
            data += chunk
        # None: nothing more now; empty: the script closed its output.
        self.silent = chunk is not None
        *lines, self._partial = (self._partial + data).split(b"\n")
        return [line.decode("utf-8", "replace") for line in lines]

    def end(self, *, kill: bool) -> list[str]:
        """End the process, and what it started; the last it printed."""
        self.pipe.close()
        if not kill:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(_END_SECONDS)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        last = [*self.lines(), self._partial.decode("utf-8", "replace")]
        self.output.close()
        return [line for line in last if line]


class Pool:
    """Up to `max_concurrency_per_instance` workers."""

    def __init__(self, options: Options, console: Console) -> None:
        self._options = options
        self._console = console
        self._setup: dict[str, Any] = {}
        self._workers: list[Worker] = []
        self._count = 0
        self._failed_starts = 0

    # -- starting ----

    def first(self, most: int) -> str:
        """Start up to `most` workers; the style that the script wants, as soon as the first one is ready.

        Raises:
            StartError: the script cannot be imported, or `init()` failed.
        """
        worker = self._start()
        for _ in range(1, min(most, self._options.max_concurrency_per_instance)):
            self._start()
        while True:
            self._wait(self._workers, None)
            for one in self._workers:
                self._print(one)  # a script that prints more than a pipe holds would wait for ever
            if worker.pipe.poll():
                message = worker.hear()
                self._print(worker)
                if message is not None and message["event"] == "ready":
                    worker.ready = True
                    return str(message["style"])
                raise StartError(_start_error(worker, message))

    def use(self, style: str, root: Path, files: list[str]) -> None:
        """Tell all workers, also those to come, how to call the script."""
        options = self._options
        self._setup = {
            "style": style,
            "root": str(root),
            "files": files,
            "per_file": options.output_action == "per_file",
            "header": options.header,
            "file_column": options.file_column,
        }
        for worker in self._workers:
            worker.say(self._setup)

    def _start(self) -> Worker:
        self._count += 1
        options = self._options
        worker = Worker(
            self._count,
            {
                "entry_script": str(options.entry_script),
                "source_directory": str(options.source_directory),
                "model_dir": options.model_dir,
                "output": str(options.output),
                "arguments": options.arguments,
            },
        )
        if self._setup:
            worker.say(self._setup)
        self._workers.append(worker)
        return worker

    # -- working ----

    def run(self, batches: Iterable[MiniBatch], finish: Callable[[list[Done]], None]) -> None:
        """Score mini batches; `finish` gets those that are done, several at a time.

        Raises:
            StartError: workers do not start any more.
            Exception: what `finish` raises.
        """
        waiting = deque((batch, 0) for batch in batches)
        tries: dict[int, int] = {}
        left = len(waiting)
        while left:
            while len(self._workers) < min(self._options.max_concurrency_per_instance, left):
                self._start()
            for worker in self._workers:
                if worker.ready and worker.batch is None and waiting:
                    worker.batch, tries[worker.number] = waiting.popleft()
                    worker.say({"batch": worker.batch.to_json()})
            nearest = min(worker.deadline for worker in self._workers)
            self._wait(self._workers, max(0.0, nearest - time.monotonic()))
            done: list[Done] = []
            for worker in list(self._workers):
                batch = worker.batch
                outcome = self._progress(worker)
                if batch is None or outcome is None:
                    continue
                if isinstance(outcome, Done):
                    done.append(outcome)
                    continue
                count = tries[worker.number]
                again = count < self._options.max_retries
                self._console.warning(
                    f"mini batch {batch.index}: {outcome}"
                    + (f"; try {count + 2} of {self._options.max_retries + 1}" if again else "; given up")
                )
                if again:
                    waiting.appendleft((batch, count + 1))
                else:
                    done.append(_given_up(batch, outcome, self._setup["files"]))
            if done:
                left -= len(done)
                finish(done)
            else:
                self._console.tick()

    def _progress(self, worker: Worker) -> Done | str | None:
        """What became of a worker's mini batch: done, why it failed, or nothing yet."""
        self._print(worker)
        if worker.pipe.poll():
            message = worker.hear()
            if message is None or message["event"] == "failed":
                return self._lost(worker, message)
            if message["event"] == "ready":
                worker.ready, self._failed_starts = True, 0
                return None
            if message["event"] == "running":
                worker.deadline = time.monotonic() + self._options.timeout
                return None
            batch, worker.batch, worker.deadline = worker.batch, None, float("inf")
            assert batch is not None
            if message["event"] == "raised":
                return str(message["error"])
            found = {key: message[key] for key in ("rows", "failed", "parts", "errors", "columns")}
            return Done(batch, **found)
        if worker.deadline < time.monotonic():
            self._remove(worker)
            return f"took longer than {self._options.timeout:g} s"
        return None

    def _lost(self, worker: Worker, message: dict[str, Any] | None) -> str | None:
        self._remove(worker)
        if worker.ready:
            return f"the worker ended with {_ending(worker.process.returncode)}"
        self._failed_starts += 1
        error = _start_error(worker, message)
        if self._failed_starts >= _STARTS:
            raise StartError(error)
        self._console.warning(f"worker {worker.number} did not start: {error.strip().splitlines()[-1]}")
        return None

    def _remove(self, worker: Worker) -> None:
        self._workers.remove(worker)
        for line in worker.end(kill=True):
            self._console.script(worker.number, line)

    def _print(self, worker: Worker) -> None:
        for line in worker.lines():
            self._console.script(worker.number, line)

    def _wait(self, workers: list[Worker], seconds: float | None) -> None:
        limit = self._console.interval
        if seconds is None or seconds > limit:
            seconds = limit
        watched: list[Connection | int] = [w.pipe for w in workers]
        watched += [w.output.fileno() for w in workers if not w.silent]
        wait(watched, seconds)  # pyright: ignore[reportArgumentType]

    def close(self, *, kill: bool) -> None:
        """End all workers; without `kill` their scripts' `shutdown()` runs first."""
        for worker in self._workers:
            for line in worker.end(kill=kill or not worker.ready):
                self._console.script(worker.number, line)
        self._workers.clear()


def _given_up(batch: MiniBatch, error: str, files: list[str]) -> Done:
    shown = ", ".join(files[position] for position in batch.files)
    return Done(batch, failed=batch.items, errors=[{"item": shown, "error": error}])


def _start_error(worker: Worker, message: dict[str, Any] | None) -> str:
    if message is not None:
        return str(message["error"])
    with contextlib.suppress(subprocess.TimeoutExpired):
        worker.process.wait(_END_SECONDS)
    return f"the worker ended with {_ending(worker.process.returncode)} while the script started\n"


def _ending(code: int | None) -> str:
    if code is not None and code < 0:
        return f"signal {signal.Signals(-code).name}"
    return f"exit code {code}"
