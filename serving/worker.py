"""One worker process: loads the script, answers requests, does what the supervisor says."""

from __future__ import annotations

import faulthandler
import gc
import os
import signal
import socket
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from serving import channel, config, forks, measure, memory, metrics, monitoring
from serving.app import App, State
from serving.auth import Keys
from serving.batching import limit, work_batch
from serving.collection.recorder import Recorder
from serving.collection.settings import settings as collection_settings
from serving.config import Config
from serving.execution import Execution
from serving.importing import make_importable
from serving.logs import Log, capture, own_traceback
from serving.loop import READ, Loop
from serving.remedies import REMEDY, remedy
from serving.runner import Runner
from serving.script import Script, ScriptError
from serving.server import SWEEP_SECONDS, Server, leaked_descriptors, raise_file_limit
from serving.shimming import add_shims
from serving.swagger import Swagger
from serving.telemetry import Telemetry, exporters
from serving.tls import Certificates

SCRIPT_FAILED = 3
_FLUSH_SECONDS = 0.2
_TICK_SECONDS = 0.01
_IDLE_SECONDS = 2.0
_COUNT_SECONDS = 1.0
_TREE_LINES = 200


@dataclass
class Inherited:
    """What the supervisor gives a worker."""

    channel: socket.socket
    private: socket.socket | None
    public: socket.socket | None
    log_fd: int
    board: metrics.Board
    index: int
    paused: bool


class Worker:
    """Puts the parts together."""

    def __init__(self, settings: Config, given: Inherited) -> None:
        self.config = settings
        self.log = Log(
            given.log_fd, {"service": settings.service, "replica": settings.replica_id, "pid": os.getpid()}
        )
        self.counters = metrics.Counters(given.board, given.index)
        self.loop = Loop()
        self.runner = Runner(settings, self.loop, self.counters)
        tls = settings.ssl
        certificates = Certificates(tls["cert_file"], tls["key_file"], self.log) if tls else None
        self.children = forks.Children(self._descriptors)
        self.server = Server(settings, self.loop, self.log, certificates)
        keys = Keys(settings.keys_file, self.log) if settings.auth_enabled else None
        self.app = App(settings, self.log, self.runner, keys, self.counters)
        self.server.app = self.app
        collect = collection_settings(settings.collect_model_data) if settings.collector else None
        self.recorder = Recorder(collect, settings.collector, self.counters) if collect else None
        self.app.recorder = self.recorder
        monitoring.use(self.recorder)
        self._exporters = exporters(settings, os.environ)
        self.runner.on_tick = self._tick
        self.runner.patience = self._patience
        self.runner.on_stuck = lambda: self.tell({"event": "stuck"})
        self._receiver = channel.Receiver(given.channel)
        self._stop_deadline: float | None = None
        self._next_flush = 0.0
        self._runs_at_start = self.counters.row[metrics.RUNS]
        self._worn_told = False
        self._leak_told = False
        self._next_count = 0.0
        given.channel.setblocking(False)
        self.loop.add(given.channel.fileno(), READ, self._on_channel)
        if given.private is not None:
            self.server.listen(given.private, private=True)
        if given.public is not None:
            self.server.listen(given.public, private=False)
        if given.paused:
            self.server.pause()

    # -- life ----

    def run(self) -> int:
        """Load the script and serve until told to stop; the process's exit code."""
        self.runner.start()
        script = self.load()
        return SCRIPT_FAILED if script is None else self.serve(script)

    def serve(self, script: Script) -> int:
        """Serve a script whose `init()` is done until told to stop; the process's exit code."""
        execution = Execution(script, self.log, self.counters, self.config.scoring_timeout_ms, work_batch)
        if self._exporters:
            telemetry = Telemetry(self.config, self._exporters, self.counters.row, self.log)
            self.app.telemetry = execution.telemetry = telemetry
            measure.connect()
        execution.end_child = self.children.end_child
        self.app.style = script.style
        if self.app.state is State.STARTING:
            self.app.state = State.READY
        # What init() made stays: the garbage collector need not look at it again with every full collection.
        gc.freeze()
        self.log.info(f"ready; run() takes {script.style.value}")
        self.tell({"event": "ready"})
        self.runner.serve(execution)
        if execution.telemetry is not None:
            execution.telemetry.stop()
        self.log.flush()
        return 0

    def _descriptors(self) -> list[int]:
        """What belongs to this process alone."""
        return [*self.loop.descriptors, *self.server.descriptors, *self.runner.descriptors]

    def load(self) -> Script | None:
        """Import the script and call `init()`; None when that failed, which is reported then."""
        start = time.monotonic()
        try:
            try:
                script = Script(self.config.entry_script)
                self.use(script)
                imported = time.monotonic()
                script.init()
            finally:
                self.children.end_child()
            named = self.config.service != Config.service
            service = self.config.service if named else os.environ.get("SERVICE_NAME", self.config.service)
            folder, auth = self.config.source_directory, self.config.auth_enabled
            self.app.swagger = Swagger(script, service, folder, auth=auth)
        except BaseException as problem:
            self._report(problem)
            return None
        done = time.monotonic()
        self.log.info(
            "init() is done",
            import_seconds=round(imported - start, 3),
            init_seconds=round(done - imported, 3),
        )
        return script

    def use(self, script: Script) -> None:
        """Fit the settings to a script.

        Raises:
            ScriptError: they do not fit.
        """
        self.runner.batch_limit = limit(script, self.config.batching)

    def _report(self, problem: BaseException) -> None:
        """Say why the script did not start: in the log and, as plain text, in the startup error file."""
        text = script_traceback(problem)
        help_ = remedy(text)
        more = {"remedy": help_} if help_ else {}
        self.log.error(
            "the entry script did not start",
            traceback=text,
            models=model_tree(self.config.model_dir),
            **more,
        )
        if help_:
            text += f"{REMEDY}{help_}\n"
        self.log.flush()
        if self.config.startup_error_file:
            try:
                Path(self.config.startup_error_file).write_text(
                    text, encoding="utf-8", errors="backslashreplace"
                )
            except OSError as failure:
                self.log.error(f"{self.config.startup_error_file} cannot be written: {failure}")

    def _patience(self) -> float:
        """How long nothing may happen until something is due."""
        if self.log.pending or (self.recorder is not None and self.recorder.pending):
            return _FLUSH_SECONDS
        return SWEEP_SECONDS if self.server.connections or self._stop_deadline is not None else _IDLE_SECONDS

    def _tick(self) -> None:
        now = self.loop.now
        self.runner.next_tick = now + _TICK_SECONDS
        self.server.sweep()
        self.counters.row[metrics.CONNECTIONS] = len(self.server.connections)
        if now >= self._next_flush:
            self._next_flush = now + _FLUSH_SECONDS
            self.log.flush()
            if self.recorder is not None:
                self.recorder.flush()
            self.counters.row[metrics.LOG_DROPPED] = self.log.dropped
            self._check_wear()
        if now >= self._next_count:
            self._next_count = now + _COUNT_SECONDS
            self._check_descriptors()
        if self._stop_deadline is not None and (self.server.drained() or now > self._last_moment()):
            self._finish()

    def _last_moment(self) -> float:
        """When to end whatever is open. Answers in pieces take longer than others, and their clients see a cut."""
        assert self._stop_deadline is not None
        open_streams = self.counters.row[metrics.STREAMS] > 0
        return self._stop_deadline + (self.config.stream_drain_seconds if open_streams else 0)

    def _check_wear(self) -> None:
        runs = self.counters.row[metrics.RUNS] - self._runs_at_start
        if 0 < self.config.max_requests <= runs and not self._worn_told:
            self._worn_told = True
            self.tell({"event": "worn"})

    def _check_descriptors(self) -> None:
        found = None if self._leak_told else leaked_descriptors(len(self.server.connections))
        if found is not None:
            self._leak_told = True
            self.tell({"event": "leak", "open": found[0], "limit": found[1]})

    def _finish(self) -> None:
        self.runner.stop()
        if self.recorder is not None:
            self.recorder.finish()
        self.log.flush()
        if self.runner.running or self.app.state is State.STARTING or self.app.swagger is None:
            # The main thread is inside the script and may never come back.
            os._exit(0)

    # -- the supervisor's words ----

    def tell(self, message: dict[str, Any]) -> None:
        """Say something to the supervisor."""
        try:
            channel.send(self._receiver.sock, message)
        except OSError:
            os._exit(1)  # without a supervisor nobody would ever stop this process

    def _on_channel(self, _events: int) -> None:
        for message in self._receiver.receive():
            self._obey(message)
        if self._receiver.closed:
            os._exit(1)

    def _obey(self, message: dict[str, Any]) -> None:
        command = message.get("cmd")
        if command == "accept":
            fd = self._receiver.take_fd()
            assert fd is not None
            self.server.listen(socket.socket(fileno=fd), private=False)
            if self.app.state is State.DRAINING and self._stop_deadline is None:
                self.app.state = State.READY
        elif command == "release":
            self.server.release()
        elif command == "pause":
            self.server.pause()
        elif command == "resume":
            self.server.resume()
        elif command == "stop":
            self.stop(float(message.get("seconds", self.config.drain_seconds)))
        if "id" in message:
            self.tell({"id": message["id"]})

    def stop(self, seconds: float) -> None:
        """Accept nothing new, finish what is open, end."""
        if self._stop_deadline is None:
            if not self.server.releasing:
                self.server.release()
            self.server.pause()
            self.app.state = State.DRAINING
            self._stop_deadline = self.loop.now + seconds
            self.log.info("stopping", connections=len(self.server.connections))


def script_traceback(problem: BaseException) -> str:
    """Why a script does not start: what is missing in it, or its own traceback."""
    return f"{problem}\n" if isinstance(problem, ScriptError) else own_traceback(problem)


def model_tree(folder: str) -> list[str]:
    """What lies under the model folder, for the log of a failed start."""
    if not folder or not Path(folder).is_dir():
        return [f"{folder or 'AZUREML_MODEL_DIR'} is not a folder"]
    found = sorted(str(p.relative_to(folder)) for p in Path(folder).rglob("*"))
    return found[:_TREE_LINES] + (["…"] if len(found) > _TREE_LINES else [])


def prepare(settings: Config) -> None:
    """Make a process just forked one that the script can run in."""
    # Not SIG_IGN: programs that the script starts would inherit it.
    signal.signal(signal.SIGTERM, forks.leave_to_supervisor)
    signal.signal(signal.SIGINT, forks.leave_to_supervisor)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    faulthandler.enable()
    raise_file_limit()
    memory.keep_freed()
    os.environ.update(config.environment_for_script(settings))
    forks.prepare(settings.entry_script)
    make_importable(settings.entry_script, settings.source_directory)
    add_shims()


def main(settings: Config, given: Inherited) -> int:
    """A worker's life in a process just forked."""
    prepare(settings)
    worker = Worker(settings, given)
    capture(worker.log, os.environ.get("AZUREML_LOG_LEVEL", "INFO"))
    return worker.run()
