"""What is killed or deleted behind the stack's back: `refresh` shows it, `up` repairs it."""

import json
import os
import shutil
import signal
import time

import psutil
import pytest

from tests.lifecycle.conftest import engines


def kill(pid):
    os.kill(pid, signal.SIGKILL)
    deadline = time.monotonic() + 10
    while psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() < deadline
        time.sleep(0.02)


def stays_dead(project):
    """Whoever holds the port starts a dead replica again as this file says."""
    for order in project.home.rglob("launch.json"):
        order.unlink()


@pytest.mark.parametrize("engine", engines())
@pytest.mark.parametrize("victim", ["replica", "supervisor", "both", "store"])
def test_drift_is_shown_and_repaired(make_project, engine, victim):
    project = make_project(engine)
    project.echo(factor=2)
    project.run("up", "--yes")
    replica, listener = project.outputs("Replica")["pid"], project.outputs("Listener")["pid"]
    if victim in ("replica", "both"):
        stays_dead(project)
        kill(replica)
    if victim in ("supervisor", "both"):
        kill(listener)
    if victim == "store":
        store = project.home / "store"
        for path in [store, *store.rglob("*")]:
            path.chmod(0o700)
        shutil.rmtree(store)
    drifted = project.change("refresh")
    assert drifted["delete"] + drifted["update"] >= 1, drifted
    project.run("up", "--yes")
    assert project.states() == {"echo": "healthy"}
    assert project.post("echo", {"x": [3]}).json() == {"scaled": [6], "factor": 2}
    project.run("preview", "--expect-no-changes", "--refresh")


def test_the_port_keeps_answering_while_the_supervisor_is_replaced(project):
    project.echo(factor=2)
    project.run("up", "--yes")
    uri_status = project.status()["echo"]
    kill(project.outputs("Listener")["pid"])
    assert project.post("echo", {"x": [3]}).json()["scaled"] == [6]
    project.run("up", "--yes", "--refresh")
    assert project.status()["echo"] == uri_status
    assert project.post("echo", {"x": [3]}).json()["scaled"] == [6]


def test_up_without_refresh_repairs_a_dead_replica(project):
    project.echo(factor=2)
    project.run("up", "--yes")
    stays_dead(project)
    kill(project.outputs("Replica")["pid"])
    assert project.states()["echo"] != "healthy"
    project.run("up", "--yes")
    assert project.states() == {"echo": "healthy"}
    assert project.post("echo", {"x": [3]}).json()["scaled"] == [6]


def test_a_killed_replica_comes_back_by_itself(project):
    project.echo(factor=2)
    project.run("up", "--yes")
    for _ in range(2):
        before = project.status()["echo"]
        victims = [run for run in project.home.rglob("process.json") if "replicas" in run.parts]
        (pid,) = [json.loads(run.read_text())["pid"] for run in victims]
        kill(pid)
        # Clients wait for the new process; none is refused.
        assert project.post("echo", {"x": [3]}).json()["scaled"] == [6]
        deadline = time.monotonic() + 20
        while project.states() != {"echo": "healthy"}:
            assert time.monotonic() < deadline
            time.sleep(0.1)
        assert project.status()["echo"] == before
    # It is no drift: the same replica, in another process.
    project.run("preview", "--expect-no-changes", "--refresh")
    project.run("destroy", "--yes")
    assert not [path for path in project.home.rglob("process.json") if "services" in path.parts]
