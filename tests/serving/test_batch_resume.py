"""`python -m serving.batch` after a full disk, a finished run, a run at work, and kills at any moment."""

from __future__ import annotations

import random
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.serving.batch_job import Job, wait_for


@pytest.fixture
def job(tmp_path: Path) -> Job:
    return Job(tmp_path)


def test_a_full_disk_ends_the_run_and_the_rerun_goes_on(job: Job) -> None:
    job.files(**{f"f{n}": "x" * 5000 for n in range(6)})
    command = job.command("--mini-batch-size", "1", "--logging-level", "warning")
    # A limit of the size of files stands in for a disk: writes behind it fail.
    limited = ["bash", "-c", 'trap "" XFSZ; ulimit -f 16; exec "$@"', "-", *command]
    result = subprocess.run(limited, env=job.environ, capture_output=True, text=True, timeout=60, check=False)
    assert result.returncode == 1, result.stderr
    assert "File too large; the same command goes on from here" in result.stderr
    assert 0 < job.journaled() < 6
    job("--mini-batch-size", "1")
    assert job.rows() == [f"f{n}," + "x" * 5000 for n in range(6)]


def test_another_run_is_not_mixed_with_an_earlier_one(job: Job) -> None:
    job.files(a="1")
    job()
    assert "continuing: 1 of 1" in job().stderr
    assert job.called() == ["a"]
    (job.output / "predictions.csv").unlink()
    job()
    assert job.rows() == ["a,1"]
    job.files(b="2")
    assert "holds a run with other files; give --restart" in job(code=2).stderr
    job("--restart")
    assert job.rows() == ["a,1", "b,2"]


def test_one_run_at_a_time(job: Job) -> None:
    job.files(a="sleep 30")
    first = subprocess.Popen(job.command(), env=job.environ, stderr=subprocess.DEVNULL)
    wait_for(job.calls.exists)
    try:
        assert "another run is at work" in job(code=2).stderr
    finally:
        first.terminate()
    assert first.wait(10) == 143


SLOW = """
    import os, time

    def init(): pass

    def run(mini_batch):
        names = [os.path.basename(path) for path in mini_batch]
        with open(os.environ["CALLS"], "a") as log:
            log.write(" ".join(names) + "\\n")
        time.sleep(0.01)
        return [f"{name} " + name * 400 for name in names]
"""


@pytest.mark.parametrize("seed", [1, *(pytest.param(n, marks=pytest.mark.reliability) for n in range(2, 22))])
def test_each_row_exactly_once_after_kills_at_random_moments(job: Job, seed: int) -> None:
    """SIGKILL of the run; the rerun does only what is missing; the result is that of a run in peace."""
    moments = random.Random(seed)
    job.script(SLOW)
    names = [f"f{n:03}" for n in range(120)]
    job.files(**dict.fromkeys(names, ""))
    options = ("--mini-batch-size", "3", "--max-concurrency-per-instance", "2")
    kills = 0
    for _ in range(4):
        calls = len(job.called()) if job.calls.exists() else 0
        process = subprocess.Popen(
            job.command(*options), env=job.environ, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        # From the first mini batch on, so that the moment is one of work and not of starting.
        wait_for(lambda c=calls, p=process: p.poll() is not None or job.calls_made() > c)
        time.sleep(moments.uniform(0, 0.06))
        process.send_signal(signal.SIGKILL)
        kills += process.wait(10) == -signal.SIGKILL
    before = job.journaled()
    already = job.calls_made()
    job(*options)
    assert kills >= 3, "the run ended before it was killed"
    assert 0 < before < 40
    assert job.rows() == [f"{name} " + name * 400 for name in names]
    assert len(job.called()) - already == 40 - before


def test_workers_end_with_a_killed_run(job: Job) -> None:
    job.script("""
        import os, time
        def init(): pass
        def run(mini_batch):
            with open(os.environ["CALLS"], "w") as log:
                log.write(f"{os.getpid()}\\n")
            time.sleep(60)
    """)
    job.files(a="")
    process = subprocess.Popen(job.command(), env=job.environ, stderr=subprocess.DEVNULL)
    wait_for(lambda: job.calls_made() == 1)
    process.kill()
    process.wait()
    worker = Path("/proc") / job.calls.read_text().strip()
    wait_for(lambda: not worker.exists() or " Z " in (worker / "stat").read_text())
