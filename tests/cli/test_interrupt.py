"""Commands that somebody sits before: Ctrl-C ends each with 130, wherever it waits, what is deployed by then is known
to the state, and an update that was agreed to starts afresh."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import signal
import subprocess
import sys
import time

import pytest

from tests.lifecycle.conftest import engines
from tests.lifecycle.project import ECHO_SCRIPT

SLOW = "import time\n" + ECHO_SCRIPT.replace("def init():\n", "def init():\n    time.sleep(20)\n")


def start(project, *arguments, **options) -> subprocess.Popen:
    """The command in a group of its own, as a shell starts it, which listens to Ctrl-C."""
    return subprocess.Popen(
        [sys.executable, "-m", "mldeploy", *arguments],
        cwd=project.root,
        env=project._variables() | {"PYTHONUNBUFFERED": "1"},
        start_new_session=True,
        **options,
    )


def wait_for(condition, what: str, seconds: float = 90) -> None:
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, f"waited for {what}"
        time.sleep(0.05)


@pytest.mark.parametrize("engine", engines())
def test_an_update_is_ended_and_known(make_project, engine):
    project = make_project(engine)
    project.echo(auth_enabled=False)
    project.write("scripts/score.py", SLOW)
    command = start(
        project, "up", "--yes", stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    wait_for(lambda: list(project.home.glob("services/replicas/*/process.json")), "the replica to start")
    os.killpg(command.pid, signal.SIGINT)
    printed = command.communicate(timeout=60)[0].decode()
    assert command.returncode == 130, printed
    # The CLI shows how Ctrl-C ended the program that it runs.
    assert engine == "pulumi" or "Traceback" not in printed, printed
    assert project.states() == {"echo": "missing"}


def test_a_log_that_is_followed(project):
    project.echo(auth_enabled=False)
    project.run("up", "--yes")
    command = start(project, "logs", "echo", "-f", stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert command.stdout is not None
    assert command.stdout.readline()
    os.killpg(command.pid, signal.SIGINT)
    assert command.communicate(timeout=30)[1] == b""
    assert command.returncode == 130


def asked(project) -> tuple[subprocess.Popen, int]:
    """`mldeploy up` that waits for an answer to its plan, and its terminal."""
    terminal, other = pty.openpty()
    command = start(project, "up", stdin=other, stdout=other, stderr=other)
    os.close(other)
    seen = b""
    while b"apply this to stack" not in seen:
        seen += os.read(terminal, 4096)
    time.sleep(1)  # the question is on screen a moment before the answer is waited for
    return command, terminal


STAINING = """
import colorsys, pulumi
colorsys.seen = getattr(colorsys, "seen", 0) + 1
pulumi.export("seen", colorsys.seen)
"""


def test_an_update_that_was_agreed_to_knows_nothing_of_its_preview(project):
    project.write("manifest.yaml", {"version": 1})
    project.write("__main__.py", STAINING)
    command, terminal = asked(project)
    os.write(terminal, b"y\n")
    with contextlib.suppress(OSError):  # what the terminal says when the command has ended
        while os.read(terminal, 4096):
            pass
    assert command.wait(timeout=60) == 0
    assert json.loads(project.run("stack", "output", "--json").stdout)["seen"] == 1


def test_a_question(project):
    project.echo(auth_enabled=False)
    command, _ = asked(project)
    os.killpg(command.pid, signal.SIGINT)
    assert command.wait(timeout=30) == 130
