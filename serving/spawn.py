"""How worker processes come to be: forked from the supervisor, or from a template that has the model loaded."""

from __future__ import annotations

import os
import signal
import socket
import sys
import traceback
from dataclasses import dataclass

from serving import channel, metrics, template, worker
from serving.logsink import Source
from serving.roles import Supervisor
from serving.worker import Inherited

_PATIENCE = 5.0


@dataclass
class Wires:
    """The two ends of a worker's channel and pipes."""

    ours: socket.socket
    theirs: socket.socket
    pipes: list[tuple[int, int]]

    @staticmethod
    def make() -> Wires:
        """New ones."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        # A worker whose script holds the interpreter reads late; the supervisor must not hang on it.
        ours.settimeout(_PATIENCE)
        return Wires(ours, theirs, [os.pipe() for _ in range(3)])

    def keep_ours(self, master: Supervisor) -> list[Source]:
        """Close the worker's ends; the sources of its log lines."""
        self.theirs.close()
        for pipe in self.pipes:
            os.close(pipe[1])
        names = ("", "stdout", "stderr")
        return [Source(pipe[0], master.sink, name) for pipe, name in zip(self.pipes, names, strict=True)]


def fork(
    master: Supervisor, board: metrics.Board, wires: Wires, index: int, *, paused: bool, as_template: bool
) -> int:
    """Fork a worker or a template; its process id."""
    sys.stdout.flush()
    sys.stderr.flush()
    pid = os.fork()
    if pid == 0:
        _child(master, board, wires, index, paused=paused, as_template=as_template)
    return pid


def ask_template(master: Supervisor, link: socket.socket, wires: Wires, index: int, *, paused: bool) -> None:
    """Have the template fork a worker, which says hello over its channel.

    Raises:
        OSError: the template is gone.
    """
    fds = [wires.theirs.fileno(), *(pipe[1] for pipe in wires.pipes)]
    listeners = [sock.fileno() for sock in (master.private, master.public) if sock is not None]
    message = {
        "cmd": "spawn",
        "index": index,
        "paused": paused,
        "private": master.private is not None,
        "public": master.public is not None,
    }
    channel.send(link, message, fds + listeners)


def _child(
    master: Supervisor, board: metrics.Board, wires: Wires, index: int, *, paused: bool, as_template: bool
) -> None:
    """Never returns."""
    code = 1
    try:
        wires.ours.close()
        master.close_in_child()
        die_with_parent(signal.SIGKILL)
        os.setpgid(0, 0)
        os.dup2(wires.pipes[1][1], 1)
        os.dup2(wires.pipes[2][1], 2)
        os.set_blocking(wires.pipes[0][1], False)
        for number, pipe in enumerate(wires.pipes):
            os.close(pipe[0])
            if number:
                os.close(pipe[1])
        given = Inherited(
            channel=wires.theirs,
            private=master.private,
            public=master.public,
            log_fd=wires.pipes[0][1],
            board=board,
            index=index,
            paused=paused,
        )
        code = (template.main if as_template else worker.main)(master.config, given)
        sys.stdout.flush()
    except BaseException:
        os.write(2, traceback.format_exc().encode())
    finally:
        os._exit(code)


def die_with_parent(number: int) -> None:
    """Have the kernel send this process a signal when the supervisor is killed: nobody else would end it."""
    if sys.platform != "linux":
        return
    import ctypes

    pr_set_pdeathsig = 1
    parent = os.getppid()
    ctypes.CDLL(None).prctl(pr_set_pdeathsig, int(number), 0, 0, 0)
    if os.getppid() != parent:
        os._exit(1)
