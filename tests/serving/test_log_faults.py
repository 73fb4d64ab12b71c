"""Disks that are full and readers that are gone: lines of the log are lost, requests are not."""

from __future__ import annotations

import json
import os
import resource
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from serving.logsink import Sink
from tests.serving.replica import TEXT_SCRIPT, Replica


def answers(one: Replica, count: int = 50) -> None:
    """Every request is answered by the same process, and each writes log lines."""
    pids = one.workers
    client = one.client()
    for number in range(count):
        assert one.score({"print": "x" * 500, "n": number}, client).json["got"]["n"] == number
    client.close()
    assert one.workers == pids


def lost(one: Replica, least: int) -> int:
    """How many lines were lost by /metrics, once it is enough."""
    end = time.monotonic() + 5
    while True:
        text = one.request("/metrics").body.decode()
        count = int(text.split("\nserving_log_lines_dropped_total ")[1].split()[0])
        if count >= least or time.monotonic() > end:
            return count
        time.sleep(0.05)


def test_a_full_disk_costs_only_lines_of_the_log(replica: Callable[..., Replica]) -> None:
    one = replica(TEXT_SCRIPT, log_file="/dev/full")
    answers(one)
    assert lost(one, 50) >= 50
    assert one.stop() == 0


def test_a_disk_that_is_full_for_a_while(replica: Callable[..., Replica]) -> None:
    one = replica(TEXT_SCRIPT)
    answers(one, 3)
    size = Path(one.config["log_file"]).stat().st_size
    # A limit on the size of its files is, for a process, a full disk.
    resource.prlimit(one.process.pid, resource.RLIMIT_FSIZE, (size + 700, resource.RLIM_INFINITY))
    answers(one)
    count = lost(one, 40)
    assert count >= 40
    resource.prlimit(one.process.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    answers(one, 3)
    end = time.monotonic() + 5
    told = 0
    while told < count:
        assert time.monotonic() < end
        # Short notices found room before; the last one has all. Half a line would be no JSON.
        lines = [line["message"] for line in one.log() if "lines of the log were lost" in line["message"]]
        told = int(lines[-1].split()[0])
        assert "File too large" in lines[-1]
        answers(one, 1)


@pytest.mark.parametrize("obstacle", ["folder", "permission"])
def test_a_log_that_cannot_be_rotated_goes_on(replica: Callable[..., Replica], obstacle: str) -> None:
    if obstacle == "permission" and os.geteuid() == 0:
        pytest.skip("root may rename everything; needs another user")
    one = replica(TEXT_SCRIPT, ready=False, log_max_bytes=20_000, log_keep=2)
    if obstacle == "folder":
        (one.folder / "replica.log.1" / "full").mkdir(parents=True)
    one.wait_ready()
    one.accept()
    if obstacle == "permission":
        one.folder.chmod(0o500)
    answers(one, 100)
    one.folder.chmod(0o700)
    assert "the log cannot be rotated" in one.output()


@pytest.mark.parametrize("keep", [0, 2])
def test_rotation(tmp_path: Path, keep: int) -> None:
    path = tmp_path / "log"
    sink = Sink(str(path), 1000, keep)
    for number in range(100):
        sink.write(b"%050d\n" % number)
    files = sorted(tmp_path.iterdir())
    assert [file.name for file in files] == ["log", "log.1", "log.2"][: keep + 1]
    assert all(file.stat().st_size <= 1000 for file in files)
    assert path.read_text().splitlines()[-1] == f"{99:050d}"
    assert sink.dropped == 0


def test_a_log_that_somebody_removes_comes_back(replica: Callable[..., Replica]) -> None:
    one = replica(TEXT_SCRIPT)
    log = Path(one.config["log_file"])
    log.rename(log.with_suffix(".moved"))
    end = time.monotonic() + 10
    while not log.exists() or not log.stat().st_size:
        answers(one, 1)
        assert time.monotonic() < end
        time.sleep(0.1)
    assert one.log()


def test_a_reader_that_is_gone_costs_only_lines(replica: Callable[..., Replica]) -> None:
    read, write = os.pipe()
    one = replica(TEXT_SCRIPT, stdout=write)
    os.close(write)
    answers(one, 3)
    assert b"request" in os.read(read, 65536)
    os.close(read)
    answers(one)
    assert lost(one, 50) >= 50
    assert one.stop() == 0


def test_a_reader_that_does_not_read_stops_nothing(replica: Callable[..., Replica]) -> None:
    read, write = os.pipe()
    one = replica(TEXT_SCRIPT.replace("print(body", "print(60_000 * body"), stdout=write)
    os.close(write)
    for _ in range(100):
        # 60 KB of log each: more than the pipe and what the server keeps.
        assert one.score({"print": "x"}).status == 200
    assert one.control("status")["state"] == "ready"
    assert lost(one, 1)
    text = b""
    os.set_blocking(read, False)
    end = time.monotonic() + 20
    while b"lines of the log were lost until now: its reader does not read" not in text:
        assert time.monotonic() < end
        try:
            text += os.read(read, 1 << 20)
        except BlockingIOError:
            one.score({})
    for line in text.splitlines()[:-1]:
        json.loads(line)
    assert one.stop() == 0
    os.close(read)
