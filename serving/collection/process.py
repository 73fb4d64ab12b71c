"""The supervisor's side of data collection: starts the collector, starts it again when it crashes, stops it last."""

from __future__ import annotations

import os
import secrets
import signal
import socket
import sys
import time
import traceback

from serving.collection import collector
from serving.collection.settings import Settings
from serving.logs import Log
from serving.logsink import Source
from serving.metrics import Board
from serving.roles import Supervisor
from serving.spawn import die_with_parent

_RESTART_SECONDS = 1.0
_STOP_SECONDS = 30.0


class CollectorProcess:
    """One a replica. The socket is the supervisor's, so that a new collector takes up where a crashed one ended."""

    def __init__(self, master: Supervisor, settings: Settings, board: Board) -> None:
        self._master = master
        self._settings = settings
        self._board = board
        # An abstract address needs no writable folder. Who connects is checked by user.
        self.address = f"\0mldeploy-collector-{secrets.token_hex(16)}"
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(self.address)
        self._listener.listen(128)
        self._pid = 0
        self._next_start = 0.0
        self._source: Source | None = None

    def tick(self) -> None:
        """Start it when it does not run."""
        if self._pid == 0 and time.monotonic() >= self._next_start:
            self._start()

    def _start(self) -> None:
        read, write = os.pipe()
        sys.stdout.flush()
        sys.stderr.flush()
        # The supervisor's handler is not the collector's: a stop that comes early waits until that has its own.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
        pid = os.fork()
        if pid == 0:
            os.close(read)
            self._child(write)
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        os.close(write)
        self._pid = pid
        self._source = Source(read, self._master.sink, "")
        self._master.watch(read, self._on_output)

    def _child(self, log_fd: int) -> None:
        """Never returns."""
        code = 1
        try:
            self._master.close_in_child()
            die_with_parent(signal.SIGTERM)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            os.set_blocking(log_fd, False)
            config = self._master.config
            log = Log(
                log_fd,
                {
                    "service": config.service,
                    "replica": config.replica_id,
                    "part": "collector",
                    "pid": os.getpid(),
                },
            )
            origin = {
                "service": config.service,
                "models": dict(config.models),
                "writer": f"{config.replica_id or 'replica'}-{secrets.token_hex(4)}",
            }
            collector.main(self._settings, self._listener, origin, self._board.extra_row(), log)
            code = 0
        except BaseException:
            os.write(2, traceback.format_exc().encode())
        finally:
            os._exit(code)

    def _on_output(self) -> None:
        if self._source is not None and not self._source.pump():
            self._forget_source()

    def _forget_source(self) -> None:
        if self._source is not None:
            self._master.unwatch(self._source.fd)
            self._source.close()
            self._source = None

    def ended(self, pid: int, code: int) -> None:
        """A child ended; perhaps it was the collector."""
        if pid != self._pid:
            return
        self._pid = 0
        self._next_start = time.monotonic() + _RESTART_SECONDS
        self._on_output()
        self._forget_source()
        self._master.sink.event(
            "error", f"the collector ended with exit code {code}; it is started again", worker=pid
        )

    def stop(self) -> None:
        """Let it write what it has, and wait for that; call it when the workers have ended."""
        if self._pid == 0:
            return
        os.kill(self._pid, signal.SIGTERM)
        deadline = time.monotonic() + _STOP_SECONDS
        while not (ended := os.waitpid(self._pid, os.WNOHANG))[0]:
            if time.monotonic() > deadline:
                self._master.sink.event(
                    "error", "the collector did not end in time; its last records are lost"
                )
                os.kill(self._pid, signal.SIGKILL)
                os.waitpid(self._pid, 0)
                break
            time.sleep(0.01)
        self._on_output()
        if ended[1]:
            code = os.waitstatus_to_exitcode(ended[1])
            self._master.sink.event(
                "error", f"the collector ended with exit code {code}; its last records are lost"
            )
        self._pid = 0
        self._listener.close()
