"""The supervisor of a replica: starts and replaces workers, answers the control socket, writes the log."""

from __future__ import annotations

import argparse
import os
import selectors
import signal
import socket
import sys
import time
from collections.abc import Callable
from dataclasses import replace

from serving import metrics
from serving.app import State
from serving.auth import KeysError, read_keys
from serving.collection.process import CollectorProcess
from serving.collection.settings import CollectionError
from serving.collection.settings import settings as collection_settings
from serving.config import Config, ConfigError, load
from serving.control import Control
from serving.logsink import Sink
from serving.server import bind_tcp, bind_unix
from serving.telemetry import CONNECTION, TelemetryError, exporters
from serving.tls import Certificates
from serving.worker import SCRIPT_FAILED
from serving.workers import Status, Workers

_TICK = 0.25


class Master:
    """One thread, one selector; imports nothing of the script's."""

    def __init__(self, settings: Config, sink: Sink) -> None:
        self.config = settings
        self.sink = sink
        self.selector = selectors.DefaultSelector()
        self.stopping = False
        self.exit_code: int | None = None
        self.public: socket.socket | None = None
        self.private = bind_unix(settings.http_socket) if settings.http_socket else None
        if settings.port is not None:
            self.public = bind_tcp(settings.host, settings.port)
        board = metrics.Board(settings.workers * 2 + 3)
        self.collection: CollectorProcess | None = None
        found = collection_settings(settings.collect_model_data)
        if found is not None:
            self.collection = CollectorProcess(self, found, board)
            self.config = replace(settings, collector=self.collection.address)
        self.workers = Workers(self, board)
        self.control: Control | None = None
        if settings.control_socket:
            self.control = Control(self, self.workers, bind_unix(settings.control_socket))
        # The collector has this row too, and counts other things in it.
        self._lost_lines = board.extra_row()
        self._deadline = 0.0
        self._signals = self._watch_signals()

    def _watch_signals(self) -> int:
        read, write = os.pipe()
        os.set_blocking(read, False)
        os.set_blocking(write, False)
        signal.set_wakeup_fd(write, warn_on_full_buffer=False)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_signal)
        signal.signal(signal.SIGCHLD, self._on_signal)
        self.watch(read, lambda: os.read(read, 4096))
        return write

    def _on_signal(self, number: int, _frame: object) -> None:
        if number != signal.SIGCHLD:
            self.stop(self.config.drain_seconds)

    def watch(self, fd: int, handler: Callable[[], object]) -> None:
        """Call `handler` when `fd` is readable."""
        self.selector.register(fd, selectors.EVENT_READ, handler)

    def unwatch(self, fd: int) -> None:
        """Stop watching; call it before closing."""
        self.selector.unregister(fd)

    def close_in_child(self) -> None:
        """In a new worker: close what is the supervisor's alone."""
        signal.set_wakeup_fd(-1)
        keep = {0, 1, 2}
        for sock in (self.public, self.private):
            if sock is not None:
                keep.add(sock.fileno())
        for key in list(self.selector.get_map().values()):
            if key.fd not in keep:
                os.close(key.fd)
        os.close(self._signals)
        self.selector.close()

    def state(self) -> State:
        """The replica's state."""
        if self.exit_code not in (None, 0):
            return State.FAILED
        if self.stopping:
            return State.DRAINING
        ready = self.workers.with_status(Status.READY)
        if ready and (self.workers.complete or len(ready) >= self.config.workers):
            return State.READY
        return State.STARTING

    # -- life ----

    def run(self) -> int:
        """Supervise until stopped; the exit code of the process."""
        if self.collection is not None:
            self.collection.tick()
        self.workers.start()
        while self.exit_code is None:
            for key, _events in self.selector.select(_TICK):
                # An earlier handler of this round may have closed it.
                if key.fd in self.selector.get_map() and self.selector.get_key(key.fd).data is key.data:
                    key.data()
            self.workers.reap()
            self.workers.tick()
            self.sink.tick()
            self._lost_lines[metrics.LOG_DROPPED] = self.sink.dropped
            if self.collection is not None:
                self.collection.tick()
            if self.control is not None:
                self.control.tick()
            if self.stopping:
                self._check_stopped()
        self.workers.kill_all()
        if self.collection is not None:
            self.collection.stop()
        self._clean()
        return self.exit_code

    def stop(self, seconds: float) -> None:
        """Stop gracefully, in at most so many seconds."""
        if not self.stopping:
            self.stopping = True
            self._deadline = time.monotonic() + seconds + 2
            self.release()
            self.workers.tell_all({"cmd": "stop", "seconds": seconds})
            self.sink.event("info", "stopping")

    def release(self) -> None:
        """Close the supervisor's copy of the public socket."""
        if self.public is not None:
            self.public.close()
            self.public = None

    def _check_stopped(self) -> None:
        if not self.workers.handles:
            self.exit_code = 0
        elif time.monotonic() > self._deadline + self.workers.patience():
            self.sink.event("warning", "workers did not end in time and were killed")
            self.exit_code = 0

    def fail(self, code: int) -> None:
        """End with an error: the replica cannot start."""
        self.exit_code = code

    def child_ended(self, pid: int, code: int) -> None:
        """A child process that may not have been a worker ended."""
        if self.collection is not None:
            self.collection.ended(pid, code)

    def failed(self, pid: int, code: int) -> None:
        """A worker ended before it was ready, and none ever was."""
        if code == SCRIPT_FAILED:
            self.sink.event(
                "error", "the entry script did not start; see its traceback above", exit_code=code
            )
        else:
            self.sink.event("error", "a worker ended while starting", exit_code=code, worker=pid)
        self.fail(code if code > 0 else 1)

    def _clean(self) -> None:
        if self.control is not None:
            self.control.close()
        for path in (self.config.control_socket, self.config.http_socket):
            if path:
                _remove(path)
        self.sink.event("info", "stopped", exit_code=self.exit_code)


def _remove(path: str) -> None:
    try:
        os.unlink(path)  # noqa: PTH108
    except FileNotFoundError:
        return


def _check(settings: Config) -> None:
    """Find what would make every worker fail.

    Raises:
        ConfigError: keys or certificate that cannot be used.
    """
    try:
        if settings.auth_enabled:
            read_keys(settings.keys_file)
    except KeysError as problem:
        raise ConfigError(f"keys_file: {problem}") from problem
    try:
        collection_settings(settings.collect_model_data)
    except CollectionError as problem:
        raise ConfigError(f"collect_model_data.{problem}") from problem
    try:
        exporters(settings, os.environ)
    except TelemetryError as problem:
        raise ConfigError(str(problem)) from problem
    if settings.ssl is not None:
        from serving.logs import Log

        try:
            Certificates(settings.ssl["cert_file"], settings.ssl["key_file"], Log(2, {}))
        except OSError as problem:
            raise ConfigError(
                f"ssl: {settings.ssl['cert_file']}, {settings.ssl['key_file']}: {problem}"
            ) from problem


def main(arguments: list[str]) -> int:
    """`python -m serving --config replica.json`; exit code 2: bad configuration, 3: the script failed."""
    parser = argparse.ArgumentParser(
        prog="python -m serving", description="Serve an entry script's init() and run()."
    )
    parser.add_argument("--config", help="JSON file; every key can also be given as SERVING_<KEY>")
    options = parser.parse_args(arguments)
    try:
        settings, unknown = load(options.config, os.environ)
        _check(settings)
        sink = Sink(settings.log_file, settings.log_max_bytes, settings.log_keep)
        master = Master(settings, sink)
    except (ConfigError, OSError) as problem:
        print(f"serving: {problem}", file=sys.stderr)
        return 2
    if settings.enable_app_insights and not os.environ.get(CONNECTION):
        sink.event("warning", f"enable_app_insights: {CONNECTION} is not set; nothing is sent")
    if unknown:
        sink.event("warning", f"unknown configuration keys are ignored: {', '.join(unknown)}")
    return master.run()
