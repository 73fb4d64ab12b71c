"""Load, hostile clients and many connections: good clients are served, memory stays flat."""

from __future__ import annotations

import collections
import contextlib
import resource
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.serving.replica import TEXT_SCRIPT, Replica

pytestmark = pytest.mark.reliability


@pytest.fixture(autouse=True)
def many_files() -> Iterator[None]:
    """As many descriptors as the system gives."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def memory(pid: int) -> int:
    """Kilobytes that are this process's own."""
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Private_Dirty:"):
            return int(line.split()[1])
    raise AssertionError("no Private_Dirty line")


def good_clients(one: Replica, count: int, seconds: float) -> list[float]:
    """How long each of their requests took; every answer is checked."""
    taken: list[float] = []
    end = time.monotonic() + seconds

    def ask(number: int) -> None:
        client = one.client()
        for step in range(1_000_000):
            if time.monotonic() > end:
                break
            answer = one.score({"n": [number, step]}, client)
            assert answer.status == 200
            assert answer.json["got"] == {"n": [number, step]}
            taken.append(answer.seconds)
        client.close()

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sorted(taken)


def test_a_thousand_slow_clients_stop_nobody(replica: Callable[..., Replica]) -> None:
    one = replica(TEXT_SCRIPT, header_timeout_seconds=4, body_timeout_seconds=4)
    slow = [socket.create_connection(("127.0.0.1", one.port)) for _ in range(1000)]
    stop = threading.Event()
    answered = collections.Counter[bytes]()

    def trickle() -> None:
        data = b"POST /score HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n" + b"x" * 100
        for byte in data:
            for sock in slow:
                with contextlib.suppress(OSError):
                    sock.send(bytes([byte]))
            if stop.wait(0.3):
                return

    thread = threading.Thread(target=trickle)
    thread.start()
    taken = good_clients(one, 4, 8)
    stop.set()
    thread.join()
    for sock in slow:
        sock.settimeout(5)
        with contextlib.suppress(OSError):
            answered[sock.recv(100)[:12]] += 1
        sock.close()
    assert len(taken) > 500
    assert taken[int(len(taken) * 0.99)] < 0.5
    # Everyone who was too slow was told so (or cut off while still sending).
    assert answered[b"HTTP/1.1 408"] > 900


def test_ten_thousand_idle_connections_stop_nobody(replica: Callable[..., Replica]) -> None:
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    if limit < 11_000:
        pytest.skip(f"needs 11000 open files; the limit here is {limit}")
    one = replica(TEXT_SCRIPT)
    (worker,) = one.workers
    before = memory(worker)
    idle = [socket.create_connection(("127.0.0.1", one.port)) for _ in range(10_000)]
    taken = good_clients(one, 4, 5)
    each = (memory(worker) - before) / 10_000
    for sock in idle:
        sock.close()
    assert len(taken) > 300
    assert taken[int(len(taken) * 0.99)] < 0.5
    assert each < 12, f"{each} KiB a connection"


def test_more_connections_than_allowed_close_the_idle_ones(replica: Callable[..., Replica]) -> None:
    one = replica(TEXT_SCRIPT, max_connections=50)
    idle = [socket.create_connection(("127.0.0.1", one.port)) for _ in range(120)]
    assert one.score({}).status == 200
    for sock in idle:
        sock.settimeout(0.2)
    closed = 0
    for sock in idle:
        with contextlib.suppress(TimeoutError):
            closed += sock.recv(1) == b""
        sock.close()
    assert closed >= 70


def test_twice_the_capacity(replica: Callable[..., Replica]) -> None:
    """Accepted requests meet their deadline, the rest are refused at once; memory does not grow."""
    script = """
        import json, time
        def init(): pass
        def run(data):
            end = time.monotonic() + 0.01
            while time.monotonic() < end:
                pass
            return json.loads(data)
    """
    one = replica(script, max_request_wait_time=200)
    (worker,) = one.workers
    statuses = collections.Counter[int]()
    slowest: dict[int, float] = collections.defaultdict(float)
    wrong: list[object] = []
    stop = threading.Event()

    def load(number: int) -> None:
        client = one.client()
        step = 0
        while not stop.is_set():
            step += 1
            answer = one.score([number, step], client)
            statuses[answer.status] += 1
            slowest[answer.status] = max(slowest[answer.status], answer.seconds)
            if answer.status == 200 and answer.json != [number, step]:
                wrong.append(answer)
            if answer.status in (429, 503):
                assert "Retry-After" in answer.headers
                time.sleep(0.05)
        client.close()

    threads = [threading.Thread(target=load, args=(number,)) for number in range(60)]
    for thread in threads:
        thread.start()
    time.sleep(4)
    before = memory(worker)
    time.sleep(12)
    after = memory(worker)
    stop.set()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert set(statuses) <= {200, 429, 503}
    assert statuses[200] > 200
    assert statuses[429] + statuses[503] > 100
    assert slowest[200] < 1.0
    assert slowest[429] < 0.5
    assert after < before * 1.02 + 200


def test_connections_that_come_and_go_leave_nothing(replica: Callable[..., Replica]) -> None:
    one = replica(TEXT_SCRIPT)
    (worker,) = one.workers

    def churn(count: int) -> None:
        for number in range(count):
            with socket.create_connection(("127.0.0.1", one.port)) as sock:
                if number % 3:
                    sock.sendall(
                        b"POST /score HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}"[: number % 70]
                    )

    # Allocators and the garbage collector need some thousand connections to settle.
    churn(12_000)
    time.sleep(3)
    files = len(list(Path(f"/proc/{worker}/fd").iterdir()))
    before = memory(worker)
    churn(6000)
    time.sleep(3)
    assert len(list(Path(f"/proc/{worker}/fd").iterdir())) <= files
    assert memory(worker) < before * 1.02 + 300
    assert one.score({}).status == 200


def test_workers_crash_under_load_and_the_service_goes_on(replica: Callable[..., Replica]) -> None:
    one = replica(TEXT_SCRIPT, workers=2)
    results = collections.Counter[object]()
    end = time.monotonic() + 8

    def load(number: int) -> None:
        while time.monotonic() < end:
            try:
                results[one.score({"n": number}).status] += 1
            except OSError as problem:
                results[type(problem).__name__] += 1

    threads = [threading.Thread(target=load, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for _ in range(3):
        time.sleep(1.5)
        with contextlib.suppress(OSError):
            one.score({"exit": 1})
    for thread in threads:
        thread.join()
    lost = sum(count for key, count in results.items() if key != 200)
    assert results[200] > 300
    # Only what the crashing process had in hand is lost.
    assert lost < 60, results
    one.wait_ready()
    assert len(one.workers) == 2
