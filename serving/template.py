"""A process that loads the script once; the workers are forked from it and share the model's memory.

That is safe only when no thread but the main one is left after `init()`: a fork copies memory with all its locks, but
only one thread. Libraries that end their threads before a fork (OpenBLAS) pass this test, others (ONNX Runtime,
libgomp after its first use) do not; then this process becomes an ordinary worker, and the others load the script
themselves.
"""

from __future__ import annotations

import gc
import os
import signal
import socket
import sys
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from serving import channel, forks
from serving.config import Config
from serving.logs import capture
from serving.script import Script
from serving.swagger import Swagger
from serving.worker import SCRIPT_FAILED, Inherited, Worker, prepare

SPAWN_FDS = 4
"""Descriptors that come with `spawn`: channel, log, standard output, standard error; then the listening sockets."""


def threads() -> int:
    """How many threads this process has, after libraries had the chance to end theirs before a fork."""
    with warnings.catch_warnings():
        # Python warns of exactly what is being found out here.
        warnings.simplefilter("ignore", DeprecationWarning)
        pid = os.fork()
    if pid == 0:
        os._exit(0)
    os.waitpid(pid, 0)
    return len(list(Path("/proc/self/task").iterdir()))


def main(settings: Config, given: Inherited) -> int:
    """The template's life in a process just forked; also that of every worker forked from it."""
    prepare(settings)
    worker = Worker(settings, given)
    level = os.environ.get("AZUREML_LOG_LEVEL", "INFO")
    undo = capture(worker.log, level)
    worker.runner.start()
    script = worker.load()
    if script is None:
        return SCRIPT_FAILED
    worker.runner.retreat()
    count = threads()
    if count > 1 and settings.share_model is not True:
        worker.log.info(f"the model is not shared between workers: {count - 1} threads run after init()")
        worker.tell({"event": "alone"})
        worker.runner.start()
        return worker.serve(script)
    worker.server.close_all()
    gc.freeze()
    worker.log.info("the workers share the model of this process")
    worker.tell({"event": "template"})
    assert worker.app.swagger is not None
    return _Template(settings, given, script, worker.app.swagger, undo, level, worker.children).run()


@dataclass
class _Template:
    """Waits for the supervisor's word and forks."""

    settings: Config
    given: Inherited
    script: Script
    swagger: Swagger
    undo: Callable[[], None]
    level: str
    children: forks.Children

    def run(self) -> int:
        """Fork workers until the supervisor says stop; a forked worker's exit code comes out here too."""
        # Workers are watched by the supervisor over their channels; nobody needs their exit codes here.
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)
        sock = self.given.channel
        sock.setblocking(True)
        receiver = channel.Receiver(sock)
        while not receiver.closed:
            for message in receiver.receive():
                if message.get("cmd") == "stop":
                    return 0
                if message.get("cmd") != "spawn":
                    if "id" in message:
                        channel.send(sock, {"id": message["id"]})
                        self._drop(receiver, 1 if message.get("cmd") == "accept" else 0)
                    continue
                code = self._spawn(receiver, message)
                if code is not None:
                    return code
        return 1

    def _drop(self, receiver: channel.Receiver, count: int) -> None:
        for _ in range(count):
            fd = receiver.take_fd()
            if fd is not None:
                os.close(fd)

    def _spawn(self, receiver: channel.Receiver, message: dict[str, Any]) -> int | None:
        count = SPAWN_FDS + int(message["private"]) + int(message["public"])
        fds = [fd for fd in (receiver.take_fd() for _ in range(count)) if fd is not None]
        assert len(fds) == count, "the supervisor sent too few descriptors"
        self.children.own = True
        child = os.fork() == 0
        self.children.own = False
        if not child:
            for fd in fds:
                os.close(fd)
            return None
        receiver.close()
        return self._work(fds, message)

    def _work(self, fds: list[int], message: dict[str, Any]) -> int:
        """A new worker's life."""
        os.setpgid(0, 0)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        self.undo()
        link, log, out, err, *listeners = fds
        os.dup2(out, 1)
        os.dup2(err, 2)
        os.close(out)
        os.close(err)
        os.set_blocking(log, False)
        os.close(self.given.log_fd)
        private = socket.socket(fileno=listeners.pop(0)) if message["private"] else None
        public = socket.socket(fileno=listeners.pop(0)) if message["public"] else None
        given = Inherited(
            channel=socket.socket(fileno=link),
            private=private,
            public=public,
            log_fd=log,
            board=self.given.board,
            index=int(message["index"]),
            paused=bool(message["paused"]),
        )
        worker = Worker(self.settings, given)
        worker.tell({"event": "hello", "pid": os.getpid()})
        capture(worker.log, self.level)
        worker.use(self.script)
        worker.app.swagger = self.swagger
        worker.runner.start()
        code = worker.serve(self.script)
        sys.stdout.flush()
        return code
