"""Limits: what is over them is refused, and nothing is lost."""

from __future__ import annotations

import collections
import os
import signal
import threading
import time
from collections.abc import Callable

import pytest

from tests.serving.replica import TEXT_SCRIPT, Answer, Replica


def together(one: Replica, values: list[object]) -> list[Answer]:
    """The answers to requests sent at the same moment."""
    answers: list[Answer] = []
    threads = [
        threading.Thread(target=lambda value=value: answers.append(one.score(value))) for value in values
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answers


@pytest.mark.parametrize("kind", ["sleep", "spin"])
@pytest.mark.parametrize("warm", [0, 30])
def test_health_answers_while_run_takes_long(replica: Callable[..., Replica], kind: str, warm: int) -> None:
    one = replica(TEXT_SCRIPT)
    client = one.client()
    for _ in range(warm):
        one.score({}, client)
    thread = threading.Thread(target=one.score, args=({kind: 1.5},))
    thread.start()
    time.sleep(0.05)
    slowest = 0.0
    for _ in range(10):
        # On a connection that was open before and on a new one.
        slowest = max(slowest, one.request("/", client=client).seconds, one.request("/").seconds)
        time.sleep(0.05)
    assert thread.is_alive()
    thread.join()
    client.close()
    # The promise is 0.05 s; this machine may be busy with other tests.
    assert slowest < 0.25


def test_one_run_at_a_time_unless_allowed(replica: Callable[..., Replica]) -> None:
    script = """
        import json, threading, time
        now = most = 0
        def init(): pass
        def run(data):
            global now, most
            now += 1
            most = max(most, now)
            time.sleep(float(data))
            now -= 1
            return [most, threading.current_thread() is threading.main_thread()]
    """
    one = replica(script, max_request_wait_time=5000)
    answers = together(one, [0.05] * 6)
    assert [answer.json for answer in answers] == [[1, True]] * 6
    three = replica(script, max_request_wait_time=5000, replica_max_concurrent_requests=3)
    answers = together(three, [0.3] * 6)
    assert max(answer.json[0] for answer in answers) == 3


def test_waiting_ends_after_max_request_wait_time(replica: Callable[..., Replica]) -> None:
    one = replica(TEXT_SCRIPT, max_request_wait_time=300)
    answers = together(one, [{"sleep": 1}] * 3)
    statuses = collections.Counter(answer.status for answer in answers)
    assert statuses == {200: 1, 503: 2}
    for answer in answers:
        if answer.status == 503:
            assert 0.25 < answer.seconds < 0.8
            assert int(answer.headers["Retry-After"]) >= 1
            assert answer.json["message"] == "No free place within 300 ms"


def test_a_line_that_is_too_long_is_refused_at_once(replica: Callable[..., Replica]) -> None:
    one = replica(TEXT_SCRIPT, max_queue=3, max_request_wait_time=1500)
    answers = together(one, [{"sleep": 0.6}] * 10)
    statuses = collections.Counter(answer.status for answer in answers)
    assert statuses[429] >= 5
    assert statuses[200] >= 2
    assert all(answer.seconds < 0.5 for answer in answers if answer.status == 429)
    assert all(int(answer.headers["Retry-After"]) >= 1 for answer in answers if answer.status in (429, 503))


@pytest.mark.parametrize("kind", ["sleep", "spin"])
@pytest.mark.parametrize("places", [1, 2])
def test_run_has_a_time_limit(replica: Callable[..., Replica], kind: str, places: int) -> None:
    one = replica(TEXT_SCRIPT, scoring_timeout_ms=400, replica_max_concurrent_requests=places)
    pid = one.workers
    for _ in range(3):
        answer = one.score({kind: 8})
        assert answer.status == 504
        assert answer.json["message"] == "Scoring timeout after 400 ms"
        assert answer.headers["x-ms-run-function-failed"] == "True"
        assert 0.35 < answer.seconds < 1.5
        if places == 1:
            assert one.score({}).status == 200
    if places == 1:
        assert one.workers == pid


def test_a_worker_that_does_not_come_back_is_replaced(replica: Callable[..., Replica]) -> None:
    script = """
        import os, time
        def init(): pass
        def run(data):
            while data == "stuck":
                try:
                    time.sleep(60)
                except BaseException:
                    pass
            return os.getpid()
    """
    one = replica(script, scoring_timeout_ms=300, max_request_wait_time=100)
    (before,) = one.workers
    assert one.request("/score", "stuck").status == 504
    end = time.monotonic() + 20
    while True:
        answer = one.request("/score", "ok")
        assert answer.status in (200, 429, 503)
        if answer.status == 200:
            break
        assert time.monotonic() < end
        time.sleep(0.05)
    assert answer.json != before
    assert "does not come back" in one.wait_log("a worker is replaced")["message"]
    while before in one.workers:
        assert time.monotonic() < end
        time.sleep(0.05)


@pytest.mark.reliability
def test_a_worker_that_no_longer_responds_is_killed(replica: Callable[..., Replica]) -> None:
    one = replica(TEXT_SCRIPT, scoring_timeout_ms=200, workers=2)
    victim = one.workers[0]
    os.kill(victim, signal.SIGSTOP)
    end = time.monotonic() + 20
    while victim in one.workers:
        assert time.monotonic() < end
        time.sleep(0.1)
    one.wait_log("no longer responds")


def test_bodies_over_the_limit(replica: Callable[..., Replica]) -> None:
    one = replica(TEXT_SCRIPT, body_limit_bytes=1000)
    assert one.request("/score", '"' + "x" * 998 + '"').status == 200
    assert one.request("/score", '"' + "x" * 999 + '"').status == 413
    # Refused by what it announces, before it is sent.
    head = b"POST /score HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000000000\r\n\r\n"
    assert one.raw(head).startswith(b"HTTP/1.1 413 ")
    chunk = b"400\r\n" + b"x" * 1024 + b"\r\n"
    chunked = b"POST /score HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk * 3
    assert one.raw(chunked).startswith(b"HTTP/1.1 413 ")


def test_slow_requests_are_ended(replica: Callable[..., Replica]) -> None:
    one = replica(TEXT_SCRIPT, header_timeout_seconds=0.5, body_timeout_seconds=0.7, idle_timeout_seconds=1)
    start = time.monotonic()
    assert one.raw(b"POST /score HTT").startswith(b"HTTP/1.1 408 ")
    assert time.monotonic() - start < 3
    answer = one.raw(b"POST /score HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc")
    assert answer.startswith(b"HTTP/1.1 408 ")
    start = time.monotonic()
    assert one.raw(b"") == b""
    assert time.monotonic() - start < 3
    assert one.score({}).status == 200


def test_a_client_that_leaves_is_not_run_for(replica: Callable[..., Replica]) -> None:
    one = replica(TEXT_SCRIPT, max_request_wait_time=3000)
    thread = threading.Thread(target=one.score, args=({"sleep": 0.6},))
    thread.start()
    time.sleep(0.1)
    import socket
    import struct

    with socket.create_connection(("127.0.0.1", one.port)) as sock:
        sock.sendall(b'POST /score HTTP/1.1\r\nHost: x\r\nContent-Length: 16\r\n\r\n{"print": "gone"}'[:-1])
        time.sleep(0.1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    thread.join()
    assert one.score({}).status == 200
    assert [line for line in one.log() if line["message"] == "gone"] == []
    assert "serving_requests_in_flight 0" in one.request("/metrics").body.decode()


LEAK = """
    import os, resource

    def init():
        resource.setrlimit(resource.RLIMIT_NOFILE, (300, 300))

    def run(data):
        for _ in range(int(data)):
            os.dup(0)
        return os.getpid()
"""


@pytest.mark.parametrize("workers", [1, 2])
def test_a_script_that_leaks_descriptors_is_replaced(replica: Callable[..., Replica], workers: int) -> None:
    one = replica(LEAK, workers=workers, max_request_wait_time=5000)
    before = one.workers
    end = time.monotonic() + 60
    while set(before) <= set(one.workers):
        assert one.score(1).status == 200
        assert time.monotonic() < end
        time.sleep(0.02)
    line = one.wait_log("a worker is replaced")
    assert "of 300 descriptors are open; does the script close its files?" in line["message"]
    assert one.score(0).status == 200


def test_a_script_that_takes_all_descriptors_at_once_is_replaced(replica: Callable[..., Replica]) -> None:
    script = LEAK.replace(
        "            os.dup(0)", "            try: os.dup(0)\n            except OSError: break"
    )
    one = replica(script)
    before = one.workers
    client = one.client()
    assert one.score(1000, client).status == 200
    # A new connection waits until there is room for it.
    assert one.score(0).status == 200
    client.close()
    end = time.monotonic() + 30
    while one.workers == before:
        assert time.monotonic() < end
        time.sleep(0.05)
    assert one.score(0).status == 200
