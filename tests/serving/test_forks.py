"""Processes that scripts start: pools of every kind work, and none of their processes becomes or outlives a server."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.serving.replica import ROOT, Replica, start

POOLS = """
    import json, multiprocessing, os
    from concurrent.futures import ProcessPoolExecutor
    from joblib import Parallel, delayed

    FACTOR = 2

    class Number:
        def __init__(self, value):
            self.value = value

    def double(number):
        return Number(FACTOR * number.value), os.getpid()

    def init():
        global pool
        pool = None

    def run(data):
        kind, numbers = json.loads(data)
        given = [Number(n) for n in numbers]
        if kind in ("loky", "multiprocessing", "threading"):
            found = Parallel(n_jobs=2, backend=kind)(delayed(double)(n) for n in given)
        elif kind.startswith("executor"):
            context = multiprocessing.get_context(kind.partition(" ")[2])
            with ProcessPoolExecutor(2, mp_context=context) as made:
                found = list(made.map(double, given))
        else:
            with multiprocessing.get_context(kind).Pool(2) as made:
                found = made.map(double, given)
        return {"values": [n.value for n, _ in found], "elsewhere": os.getpid() not in {pid for _, pid in found}}
"""
# Those that fork come first: loky keeps threads, and a fork while one of them holds a lock hangs in any program.
KINDS = ("fork", "executor fork", "multiprocessing", "spawn", "forkserver", "executor spawn", "loky")


@pytest.fixture
def replica() -> Iterator[Callable[..., Replica]]:
    made: list[Replica] = []

    def make(script: str, **config: Any) -> Replica:
        made.append(start(script, **config))
        made[-1].wait_ready()
        made[-1].accept()
        return made[-1]

    yield make
    for one in made:
        one.clean()


def group(leader: int) -> list[int]:
    """The processes of a group."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[2]) == leader and fields[0] != "Z":
            found.append(int(stat.parent.name))
    return found


def test_pools_find_the_functions_of_the_entry_script(replica: Callable[..., Replica]) -> None:
    one = replica(POOLS)
    for kind in KINDS:
        # A pool's processes import the script and what it imports: on a busy machine that takes long.
        answer = one.request("/score", json.dumps([kind, [1, 2, 3]]), client=one.client(timeout=120))
        assert answer.status == 200, (kind, one.output())
        assert answer.json == {"values": [2, 4, 6], "elsewhere": True}, kind
    workers = one.workers
    assert one.stop() == 0
    for worker in workers:
        assert group(worker) == [], "what a script started does not outlive its worker"


FORKS = """
    import os, sys, time

    def init():
        if os.environ.get("FORK_IN_INIT"):
            if os.fork() == 0:
                return

    def run(data):
        if data in ("return", "raise", "exit", "stay"):
            child = os.fork()
            if child == 0:
                if data == "raise":
                    raise ValueError("in the child")
                if data == "exit":
                    sys.exit(3)
                if data == "stay":
                    time.sleep(300)
                return "from the child"
            if data == "stay":
                return [os.getpid(), child]
            return [os.getpid(), os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])]
        return [os.getpid(), None]
"""


def test_a_forked_child_that_returns_ends(replica: Callable[..., Replica]) -> None:
    one = replica(FORKS, environ={"FORK_IN_INIT": "1"})
    (worker,) = one.workers
    for asked, code in (("return", 0), ("raise", 1), ("exit", 3), ("plain", None)):
        for _ in range(3):
            assert one.request("/score", asked).json == [worker, code]
    assert "in the child" in one.output()
    end = time.monotonic() + 10
    while group(worker) != [worker] and time.monotonic() < end:
        time.sleep(0.05)
    assert group(worker) == [worker]


def descriptors(pid: int) -> set[str]:
    """What the descriptors of a process lead to; one that is closed while they are read is left out."""
    found: set[str] = set()
    for entry in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):
            found.add(str(entry.readlink()))
    return found


def test_a_forked_child_keeps_no_port_and_ends_with_its_worker(replica: Callable[..., Replica]) -> None:
    one = replica(FORKS)
    worker, child = one.request("/score", "stay").json
    inodes = descriptors(worker)
    end = time.monotonic() + 10

    def sockets() -> set[str]:
        return {name for name in inodes & descriptors(child) if name.startswith("socket:")}

    # The worker may answer before the child has closed what it got from it.
    while sockets() and time.monotonic() < end:
        time.sleep(0.05)
    assert not sockets()
    assert one.stop() == 0
    assert (
        not Path(f"/proc/{child}").exists()
        or Path(f"/proc/{child}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    )


def test_batch_calls_in_pools_and_forks(tmp_path: Path) -> None:
    (tmp_path / "score.py").write_text(
        "import json, multiprocessing, os\n"
        "def init(): pass\n"
        "def double(n): return 2 * n\n"
        "def run(data):\n"
        "    if os.fork() == 0:\n"
        "        return 'from the child'\n"
        "    with multiprocessing.get_context('spawn').Pool(1) as pool:\n"
        "        return pool.map(double, [json.loads(data)])\n"
    )
    (tmp_path / "in").mkdir()
    (tmp_path / "in/a.json").write_text("21")
    command = [sys.executable, str(ROOT / "serving/batch/__main__.py"), "--entry-script", "score.py"]
    command += ["--input", str(tmp_path / "in"), "--output", str(tmp_path / "out")]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    rows = [file.read_text() for file in (tmp_path / "out").rglob("*") if file.is_file()]
    assert any('"output": [42]' in text for text in rows), rows
    assert not any("from the child" in text for text in rows)


def test_a_class_pickled_where_the_model_was_trained_is_found_in_the_script(
    replica: Callable[..., Replica],
) -> None:
    script = """
        import pickle

        class MyT:
            pass

        def init():
            global model
            model = pickle.loads(b"c__main__\\nMyT\\n)R.")

        def run(data):
            return type(model).__name__
    """
    assert replica(script).request("/score", "{}").json == "MyT"


def test_a_pool_can_end_its_processes(replica: Callable[..., Replica]) -> None:
    """They do not take over the server's way with SIGTERM: a pool waits until they have ended."""
    one = replica("""
        import multiprocessing, time
        def init(): pass
        def run(data):
            process = multiprocessing.get_context("fork").Process(target=time.sleep, args=(300,))
            process.start()
            process.terminate()
            process.join(20)
            return process.exitcode
    """)
    assert one.score({}).json == -15
