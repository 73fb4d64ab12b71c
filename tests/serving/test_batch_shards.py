"""One batch run shared among several: every shard's rows once, in the order of the input, whoever comes last."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.serving.batch_job import Job, wait_for


@pytest.fixture
def job(tmp_path: Path) -> Job:
    made = Job(tmp_path)
    made.files(**{f"f{n:02}": str(n) for n in range(11)})
    return made


def shard(number: int, *more: str, of: int = 3) -> tuple[str, ...]:
    return ("--shards", str(of), "--shard", str(number), "--mini-batch-size", "2", *more)


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 0, 1)])
def test_the_last_shard_merges_in_the_order_of_the_input(job: Job, order: tuple[int, ...]) -> None:
    for number in order[:-1]:
        assert "not done yet" in job(*shard(number)).stdout
        assert not (job.output / "predictions.csv").exists()
    assert "11 items in 6 mini batches: 11 succeeded, 0 failed" in job(*shard(order[-1])).stdout
    assert job.rows() == [f"f{n:02},{n}" for n in range(11)]
    assert sorted(" ".join(job.called()).split()) == [f"f{n:02}" for n in range(11)]


def test_all_at_once(job: Job) -> None:
    running = [subprocess.Popen(job.command(*shard(n)), env=job.environ) for n in range(3)]
    assert [one.wait(60) for one in running] == [0, 0, 0]
    assert job.rows() == [f"f{n:02},{n}" for n in range(11)]
    assert job.summary()["complete"] is True


def test_a_shard_that_was_killed_is_continued(job: Job) -> None:
    job.files(f03="sleep 30", f05="5")
    job(*shard(0))
    job(*shard(2))
    killed = subprocess.Popen(job.command(*shard(1)), env=job.environ, stderr=subprocess.DEVNULL)
    wait_for(lambda: "f02 f03" in job.calls.read_text())
    killed.kill()
    killed.wait()
    assert not (job.output / "predictions.csv").exists()
    # The same files, and none of them waits now.
    job.script('def init(): pass\ndef run(mini_batch): return [p.rsplit("/")[-1] for p in mini_batch]\n')
    assert "holds a run with other entry_script" in job(*shard(1), code=2).stderr
    job(*shard(1, "--retry-failed"))
    assert len(job.rows()) == 11


def test_more_shards_than_mini_batches(job: Job) -> None:
    for number in range(8):
        job(*shard(number, of=8))
    assert job.rows() == [f"f{n:02},{n}" for n in range(11)]


def test_failures_of_all_shards_count_together(job: Job) -> None:
    job.files(f00="raise", f04="raise")  # in the shards 0 and 2
    options = ("--max-retries", "0", "--error-threshold", "3")
    job(*shard(0, *options))
    job(*shard(1, *options))
    assert "4 failed; error_threshold allows 3" in job(*shard(2, *options), code=4).stderr
    assert job.rows() == [f"f{n:02},{n}" for n in range(11) if n not in (0, 1, 4, 5)]


def test_the_shards_number_is_the_pods(job: Job) -> None:
    environ = job.environ | {"JOB_COMPLETION_INDEX": "1"}
    done = subprocess.run(
        job.command("--shards", "2", "--mini-batch-size", "2"),
        env=environ,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "shard 1: 5 items are done; not done yet: 0" in done.stdout, done.stderr


@pytest.mark.parametrize(("given", "said"), [(("--shard", "3"), "'3' is not"), ((), "missing")])
def test_a_shard_that_there_is_not(job: Job, given: tuple[str, ...], said: str) -> None:
    assert f"--shard: {said}" in job("--shards", "3", *given, code=2).stderr.replace(" 3 ", " '3' ")
