"""Ctrl-C: the running step is finished and recorded, nothing new begins, the state is whole."""

from __future__ import annotations

import os
import signal
import threading
import time

from mldeploy.engine import Engine, Options
from tests.engine.conformance import PASSPHRASE, Workspace
from tests.engine.testprovider import TestProvider

PROGRAM = """
from tp import Res
last = None
for i in range(6):
    last = Res(f'r{i}', delay=0.4, put=True, value=last.id if last else None)
"""


def make(workspace: Workspace) -> Engine:
    return Engine(
        workspace.folder,
        "dev",
        backend_url=workspace.state_url,
        passphrase=PASSPHRASE,
        providers={"tp": lambda: TestProvider(workspace.objects_dir)},
    )


def recorded(workspace: Workspace) -> list[str]:
    return sorted(r["id"] for r in workspace.state() if r["type"] == "tp:index:Res" and "pending" not in r)


def test_interrupt_finishes_the_running_step(workspace: Workspace):
    workspace.set_program(PROGRAM)
    previous = signal.getsignal(signal.SIGINT)

    def interrupt() -> None:
        deadline = time.monotonic() + 20
        while not workspace.objects() and time.monotonic() < deadline:
            time.sleep(0.02)
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=interrupt)
    thread.start()
    result = make(workspace).up(Options())
    thread.join()
    assert not result.ok
    assert "canceled" in result.error
    assert signal.getsignal(signal.SIGINT) is previous
    assert 1 <= len(workspace.objects()) < 6
    assert recorded(workspace) == sorted(workspace.objects())
    assert not [r for r in workspace.state() if "pending" in r]
    assert make(workspace).up(Options()).ok
    assert recorded(workspace) == [f"r{i}" for i in range(6)]


def test_cancel_from_another_thread_keeps_what_was_not_registered(workspace: Workspace):
    """What the program had no time to register must not be taken for removed."""
    workspace.set_program(PROGRAM.replace("delay=0.4, ", ""))
    assert make(workspace).up(Options()).ok
    workspace.set_program(PROGRAM.replace("value=last", "note='x', value=last"))
    engine = make(workspace)
    threading.Timer(0.6, engine.cancel).start()
    result = engine.up(Options())
    assert not result.ok
    assert len(workspace.objects()) == 6
    assert recorded(workspace) == [f"r{i}" for i in range(6)]
