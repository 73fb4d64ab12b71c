"""A killed engine loses nothing: after `refresh` and `up` the stack is as desired, every object exists once.

The engine runs in a forked child that kills itself at a chosen call: before or after each write, fsync and
rename of the state, and around each call of the provider. So every moment at which the state on disk can
differ is met, and the same seeds meet the same moments.
"""

from __future__ import annotations

import errno
import os
import random
import signal
from pathlib import Path

import pytest

from mldeploy.engine import Engine, Options
from mldeploy.engine.base import files
from mldeploy.engine.base.errors import StateError
from mldeploy.engine.state import snapshot
from tests.engine.conformance import PASSPHRASE, Workspace
from tests.engine.testprovider import TestProvider

BEFORE = """
from tp import Group, Res
import pulumi
a = Res("a", name="a-1", put=True, value=1)
b = Res("b", name="b-1", put=True, value=a.computed)
def body(g):
    Res("c", name="c-1", put=True, value=b.computed, opts=pulumi.ResourceOptions(parent=g))
Group("g", body=body)
d = Res("d", name="d-1", put=True, dbr=1)
Res("e", name="e-1", put=True, force=d.id)
Res("gone", name="gone-1", put=True, secret=pulumi.Output.secret("x"))
pulumi.export("out", b.computed)
"""
# An update, a replacement create first, one delete first with a dependent, a new one, a removed one.
AFTER = """
from tp import Group, Res
import pulumi
a = Res("a", name="a-2", put=True, value=2)
b = Res("b", name="b-1", put=True, value=a.computed)
def body(g):
    Res("c", name="c-1", put=True, value=b.computed, opts=pulumi.ResourceOptions(parent=g))
Group("g", body=body)
d = Res("d", name="d-2", put=True, dbr=2)
Res("e", name="e-1", put=True, force=d.id)
Res("new", name="new-1", put=True, value=a.id)
pulumi.export("out", b.computed)
"""
EMPTY = "pass\n"
SCENARIOS = {
    "create": (EMPTY, BEFORE, "up"),
    "change": (BEFORE, AFTER, "up"),
    "delete": (BEFORE, EMPTY, "up"),
    "destroy": (BEFORE, BEFORE, "destroy"),
}


class Counter:
    """Calls `act` when the n-th watched call comes."""

    def __init__(self, at: int, act) -> None:
        self.at, self.act, self.seen = at, act, 0

    def hit(self) -> None:
        self.seen += 1
        if self.seen == self.at:
            self.act()


class WatchedProvider(TestProvider):
    __test__ = False
    counter: Counter

    def Create(self, request, context):
        self.counter.hit()
        answer = super().Create(request, context)
        self.counter.hit()
        return answer

    def Update(self, request, context):
        self.counter.hit()
        answer = super().Update(request, context)
        self.counter.hit()
        return answer

    def Delete(self, request, context):
        self.counter.hit()
        answer = super().Delete(request, context)
        self.counter.hit()
        return answer


def make(workspace: Workspace, counter: Counter | None = None) -> Engine:
    def provider():
        if counter is None:
            return TestProvider(workspace.objects_dir)
        made = WatchedProvider(workspace.objects_dir)
        made.counter = counter
        return made

    return Engine(
        workspace.folder,
        "dev",
        backend_url=workspace.state_url,
        passphrase=PASSPHRASE,
        providers={"tp": provider},
    )


def watch_files(counter: Counter) -> None:
    """Count before and after each system call of a state write. Only for a forked child."""
    for name in ("write", "fsync", "rename"):
        real = getattr(files, name)

        def watched(*args, real=real):
            counter.hit()
            result = real(*args)
            counter.hit()
            return result

        setattr(files, name, watched)


def run_killed(workspace: Workspace, command: str, at: int, parallel: int, whole_limit: int) -> bool:
    """Run in a child that kills itself at the given call. False when it ended before that call came."""
    child = os.fork()
    if child == 0:
        try:
            counter = Counter(at, lambda: os.kill(os.getpid(), signal.SIGKILL))
            watch_files(counter)
            snapshot.WHOLE_LIMIT = whole_limit
            snapshot.WHOLE_SHARE = 1e9 if whole_limit == 0 else snapshot.WHOLE_SHARE
            getattr(make(workspace, counter), command)(Options(parallel=parallel))
        finally:
            os._exit(0)
    _, status = os.waitpid(child, 0)
    return os.WIFSIGNALED(status)


def check_converged(workspace: Workspace, command: str) -> None:
    engine = make(workspace)
    refreshed = engine.refresh(Options(parallel=4))
    assert refreshed.ok, refreshed.error
    result = getattr(engine, command)(Options(parallel=4))
    assert result.ok, result.error
    state = workspace.state()
    assert not [r for r in state if "pending" in r or r.get("delete") or r.get("pendingReplacement")], state
    recorded = sorted(r["id"] for r in state if r["type"] == "tp:index:Res")
    assert recorded == sorted(workspace.objects()), "every object is recorded exactly once"
    if command == "up":
        again = engine.preview(Options(expect_no_changes=True))
        assert again.ok, again.error


def one_kill(folder: Path, scenario: str, at: int, parallel: int, whole_limit: int) -> bool:
    before, after, command = SCENARIOS[scenario]
    workspace = Workspace(folder)
    workspace.set_program(before)
    assert make(workspace).up(Options(parallel=4)).ok
    workspace.set_program(after)
    killed = run_killed(workspace, command, at, parallel, whole_limit)
    check_converged(workspace, command)
    return killed


@pytest.mark.parametrize("scenario", SCENARIOS)
@pytest.mark.parametrize("whole_limit", [256 * 1024, 0], ids=["whole", "journal"])
def test_kills_quick(scenario: str, whole_limit: int, tmp_path: Path):
    points = random.Random(f"{scenario}{whole_limit}").sample(range(1, 60), 2)
    killed = [one_kill(tmp_path / str(at), scenario, at, 1 + at % 4, whole_limit) for at in points]
    assert any(killed)


@pytest.mark.reliability
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("seed", range(20))
def test_kills_all(seed: int, tmp_path: Path):
    """26 kills a seed, 520 in all, spread over scenarios, both ways of recording and degrees of parallelism."""
    rng = random.Random(seed)
    killed = tried = 0
    while killed < 26 and tried < 80:
        tried += 1
        scenario = rng.choice(list(SCENARIOS))
        at = rng.randrange(1, 140 if scenario == "change" else 90)
        limit = rng.choice([0, 256 * 1024])
        killed += one_kill(tmp_path / str(tried), scenario, at, rng.choice([1, 2, 8]), limit)
    assert killed == 26


# -- faults of the disk --------------------------------------------------------------------------------------


@pytest.mark.parametrize("call", ["write", "fsync", "rename"])
@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO, errno.EROFS], ids=["ENOSPC", "EIO", "EROFS"])
def test_disk_faults(call: str, number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A failing write ends the run with a clear error; when the disk is well again the stack converges."""
    workspace = Workspace(tmp_path / "w")
    workspace.set_program(BEFORE)
    assert make(workspace).up(Options(parallel=2)).ok
    workspace.set_program(AFTER)
    real = getattr(files, call)
    for at in (1, 2, 5, 9):
        counter = [0]

        def failing(*args, at=at, counter=counter):
            counter[0] += 1
            if counter[0] >= at:
                raise OSError(number, os.strerror(number))
            return real(*args)

        monkeypatch.setattr(files, call, failing)
        result = make(workspace).up(Options(parallel=2))
        monkeypatch.setattr(files, call, real)
        assert not result.ok
        assert os.strerror(number) in result.error
        assert "cannot write" in result.error
    check_converged(workspace, "up")


def test_a_failed_write_leaves_the_old_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    target = tmp_path / "state.json"
    files.write_atomic(target, b"old")

    def full(*_args):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(files, "write", full)
    with pytest.raises(StateError, match="No space left"):
        files.write_atomic(target, b"new")
    assert target.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["state.json"]
