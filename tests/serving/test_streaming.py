"""Answers in pieces: as they come, as fast as the client takes them, and whole or visibly broken."""

from __future__ import annotations

import http.client
import json
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.serving.replica import Replica

YIELDS = """
    import contextvars, json, os, threading, time

    mark = contextvars.ContextVar("mark", default=None)
    threads = set()

    def init():
        pass

    def run(data):
        asked = json.loads(data)
        if asked.get("early"):
            raise ValueError("before the first piece")
        return pieces(asked)

    def pieces(asked):
        mark.set(asked.get("mark"))
        try:
            for number in range(asked["count"]):
                if number == asked.get("fail"):
                    raise {"SystemExit": SystemExit, "KeyboardInterrupt": KeyboardInterrupt}.get(
                        asked.get("kind"), ValueError)("secret detail")
                if number == asked.get("hang"):
                    time.sleep(60)
                time.sleep(asked.get("sleep", 0))
                yield "x" * asked["size"] if "size" in asked else {
                    "n": number, "mark": mark.get(), "main": threading.current_thread() is threading.main_thread()}
        finally:
            print(f"closed {asked.get('mark')}")
"""

RAW = """
    import io
    from werkzeug.wrappers import Response
    from werkzeug.wsgi import wrap_file
    from azureml.contrib.services.aml_request import AMLRequest, rawhttp
    from azureml.contrib.services.aml_response import AMLResponse

    def init():
        pass

    def pieces(count):
        for number in range(count):
            yield f"piece {number}\\n"

    @rawhttp
    def run(request):
        what = request.args["what"]
        if what == "aml":
            return AMLResponse(pieces(3), 201, {"Content-Type": "text/csv", "Content-Length": "999"})
        if what == "werkzeug":
            answer = Response(pieces(3), mimetype="text/plain")
            answer.call_on_close(lambda: print("closed by the server"))
            return answer
        if what == "file":
            return Response(wrap_file(request.environ, io.BytesIO(b"f" * 100_000)), direct_passthrough=True)
        if what == "none":
            return AMLResponse(pieces(0), 200)
        if what == "numbers":
            return AMLResponse((n for n in [b"a", 5]), 200)
        if what == "204":
            return AMLResponse(pieces(3), 204)
        if what == "late":
            return AMLResponse(pieces(3), 99)
        return pieces(2)
"""


@pytest.fixture(scope="module")
def yields(shared_replica: Callable[..., Replica]) -> Replica:
    return shared_replica(YIELDS, stream_timeout_ms=1500)


@pytest.fixture(scope="module")
def raw(shared_replica: Callable[..., Replica]) -> Replica:
    return shared_replica(RAW)


def lines(body: bytes) -> list[dict[str, object]]:
    return [json.loads(line) for line in body.splitlines()]


def begin(one: Replica, asked: dict[str, object], **headers: str) -> http.client.HTTPResponse:
    client = one.client()
    client.request("POST", "/score", json.dumps(asked), {k.replace("_", "-"): v for k, v in headers.items()})
    response = client.getresponse()
    response.client = client  # type: ignore[attr-defined]
    return response


def test_what_run_yields_comes_as_json_lines(yields: Replica) -> None:
    answer = yields.score({"count": 3, "mark": "m"})
    assert answer.headers["Content-Type"] == "application/x-ndjson"
    assert answer.headers["Transfer-Encoding"] == "chunked"
    assert answer.headers["x-ms-run-function-failed"] == "False"
    assert "Content-Length" not in answer.headers
    assert lines(answer.body) == [{"n": n, "mark": "m", "main": True} for n in range(3)]


@pytest.mark.parametrize(
    ("accept", "events"),
    [
        ("text/event-stream", True),
        ("application/json, Text/Event-Stream;q=0.5", True),
        ("text/event-stream;q=0", False),
        ("text/event-stream; q=0.000", False),
        ("*/*", False),
        ("text/html", False),
    ],
)
def test_clients_that_accept_events_get_events(yields: Replica, accept: str, events: bool) -> None:
    answer = yields.score({"count": 2}, Accept=accept)
    if events:
        assert answer.headers["Content-Type"] == "text/event-stream; charset=utf-8"
        found = answer.body.split(b"\n\n")
        assert found[-1] == b""
        assert [json.loads(event.removeprefix(b"data: "))["n"] for event in found[:-1]] == [0, 1]
    else:
        assert [line["n"] for line in lines(answer.body)] == [0, 1]


def test_pieces_come_when_they_are_made(yields: Replica) -> None:
    start = time.monotonic()
    response = begin(yields, {"count": 4, "sleep": 0.3})
    response.readline()
    first = time.monotonic() - start
    assert len(response.read().splitlines()) == 3
    assert first + 0.6 < time.monotonic() - start


def test_the_connection_goes_on_after_a_stream(yields: Replica) -> None:
    client = yields.client()
    for _ in range(3):
        assert len(lines(yields.score({"count": 5}, client).body)) == 5
    client.close()


def test_nothing_yielded_is_an_empty_answer(yields: Replica) -> None:
    answer = yields.score({"count": 0})
    assert (answer.status, answer.body, answer.headers["Content-Length"]) == (200, b"", "0")


@pytest.mark.parametrize("kind", ["ValueError", "SystemExit", "KeyboardInterrupt"])
@pytest.mark.parametrize("asked", [{"early": True}, {"fail": 0}])
def test_an_error_before_the_first_piece_is_an_error(
    yields: Replica, kind: str, asked: dict[str, object]
) -> None:
    answer = yields.score({"count": 3, "kind": kind, **asked})
    assert (answer.status, answer.headers["x-ms-run-function-failed"]) == (500, "True")
    assert b"secret" not in answer.body
    assert yields.score({"count": 1}).status == 200


@pytest.mark.parametrize("kind", ["ValueError", "SystemExit", "KeyboardInterrupt"])
def test_an_error_later_breaks_the_answer_off(yields: Replica, kind: str) -> None:
    pids = yields.workers
    with pytest.raises(http.client.IncompleteRead) as caught:
        yields.score({"count": 3, "fail": 2, "kind": kind})
    assert len(lines(caught.value.partial)) == 2
    with pytest.raises(http.client.IncompleteRead) as caught:
        yields.score({"count": 3, "fail": 2, "kind": kind}, Accept="text/event-stream")
    last = caught.value.partial.rstrip().split(b"\n\n")[-1]
    assert last.startswith(b'event: error\ndata: {"message": ')
    assert b"secret" not in last
    assert yields.score({"count": 1}).status == 200
    assert yields.workers == pids
    line = yields.wait_log("after the beginning of its answer")
    assert "secret detail" in line["traceback"] and "execution.py" not in line["traceback"]
    assert any(line.get("status") == 500 for line in yields.log() if line["message"] == "request")


def test_a_piece_that_takes_too_long_breaks_the_answer_off(yields: Replica) -> None:
    start = time.monotonic()
    with pytest.raises(http.client.IncompleteRead) as caught:
        yields.score({"count": 3, "hang": 1, "mark": "hung"})
    assert len(lines(caught.value.partial)) == 1
    assert time.monotonic() - start < 10
    yields.wait_log("closed hung")
    assert yields.score({"count": 1}).status == 200


def test_the_first_piece_has_the_time_of_run(replica: Callable[..., Replica]) -> None:
    one = replica(YIELDS, scoring_timeout_ms=500, stream_timeout_ms=5000)
    answer = one.score({"count": 3, "hang": 0})
    assert (answer.status, answer.json["message"]) == (504, "Scoring timeout after 500 ms")
    # Later pieces may take longer than the first.
    assert one.score({"count": 1}).status == 200


def test_other_requests_have_their_turn_between_pieces(yields: Replica) -> None:
    response = begin(yields, {"count": 40, "sleep": 0.05})
    response.readline()
    for _ in range(5):
        assert yields.score({"count": 1}).seconds < 1
    assert len(response.read().splitlines()) == 39


def test_many_streams_are_open_at_a_time(yields: Replica) -> None:
    responses = [begin(yields, {"count": 20, "mark": n}) for n in range(50)]
    for number, response in enumerate(responses):
        assert [line["mark"] for line in lines(response.read())] == [number] * 20


def test_a_script_is_closed_when_its_client_leaves(yields: Replica) -> None:
    request = json.dumps({"count": 10_000, "sleep": 0.01, "mark": "left"}).encode()
    head = b"POST /score HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(request)
    with socket.create_connection(("127.0.0.1", yields.port), timeout=5) as sock:
        sock.sendall(head + request)
        assert sock.recv(10)
    yields.wait_log("closed left")
    end = time.monotonic() + 5
    while b"serving_streams 0" not in yields.request("/metrics").body:
        assert time.monotonic() < end
        time.sleep(0.05)
    assert b"serving_requests_in_flight 0" in yields.request("/metrics").body


def test_a_slow_reader_holds_the_script_back(replica: Callable[..., Replica]) -> None:
    one = replica(YIELDS)
    response = begin(one, {"count": 4000, "size": 100_000})

    def memory() -> int:
        status = Path(f"/proc/{one.workers[0]}/status").read_text()
        return int(status.split("VmRSS:")[1].split()[0])

    response.read(100)
    before = memory()
    time.sleep(0.5)
    # 400 MB are to come; only what is in the sockets' buffers was made.
    assert memory() - before < 20_000
    assert one.score({"count": 1}).status == 200
    total = 100
    while chunk := response.read(1 << 20):
        total += len(chunk)
    assert total == 4000 * 100_003
    assert memory() - before < 30_000


def test_http_1_0_and_head(yields: Replica) -> None:
    answer = yields.raw(b'POST /score HTTP/1.0\r\nContent-Length: 12\r\n\r\n{"count": 2}')
    head, _, body = answer.partition(b"\r\n\r\n")
    assert b"chunked" not in head
    assert b"Connection: close" in head
    assert [line["n"] for line in lines(body)] == [0, 1]
    answer = yields.raw(b"HEAD /score?count=2&mark=head HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 200")
    assert answer.endswith(b"\r\n\r\n")
    yields.wait_log("closed head")


def test_responses_of_the_script_stream_too(raw: Replica) -> None:
    text = b"piece 0\npiece 1\npiece 2\n"
    answer = raw.request("/score?what=aml")
    assert (answer.status, answer.body, answer.headers["Content-Type"]) == (201, text, "text/csv")
    assert answer.headers["Transfer-Encoding"] == "chunked"
    assert raw.request("/score?what=werkzeug").body == text
    raw.wait_log("closed by the server")
    assert raw.request("/score?what=file").body == b"f" * 100_000
    assert raw.request("/score?what=none").body == b""
    assert raw.request("/score?what=yield").body == b'"piece 0\\n"\n"piece 1\\n"\n'
    answer = raw.request("/score?what=204")
    assert (answer.status, answer.body) == (204, b"")
    assert raw.request("/score?what=late").status == 500
    with pytest.raises(http.client.IncompleteRead):
        raw.request("/score?what=numbers")


def test_streams_of_several_threads_stay_in_theirs(replica: Callable[..., Replica]) -> None:
    script = """
        import threading, time
        def init(): pass
        def run(data):
            time.sleep(0.05)
            for _ in range(10):
                time.sleep(0.01)
                yield threading.get_ident()
    """
    one = replica(script, replica_max_concurrent_requests=4, max_request_wait_time=10_000)
    bodies: list[bytes] = []
    clients = [threading.Thread(target=lambda: bodies.append(one.score({}).body)) for _ in range(12)]
    for client in clients:
        client.start()
    for client in clients:
        client.join()
    found = [set(body.split()) for body in bodies]
    assert [len(threads) for threads in found] == [1] * 12
    assert len(set.union(*found)) > 1


def test_the_end_waits_for_streams_only_so_long(replica: Callable[..., Replica]) -> None:
    one = replica(YIELDS, drain_seconds=0.5, stream_drain_seconds=1)
    response = begin(one, {"count": 1000, "sleep": 0.1})
    response.readline()
    start = time.monotonic()
    one.control("stop")
    with pytest.raises((http.client.IncompleteRead, ConnectionError)):
        response.read()
    assert one.process.wait(20) == 0
    assert 1 < time.monotonic() - start < 10


def test_collected_streams_are_kept_up_to_a_cap(replica: Callable[..., Replica], tmp_path: Path) -> None:
    collect = {"destination": str(tmp_path)}
    one = replica(YIELDS, collect_model_data=collect)
    assert one.score({"count": 2}).status == 200
    assert len(one.score({"count": 300, "size": 10_000}).body) == 300 * 10_003
    one.stop()
    outputs = [
        json.loads(line)
        for path in sorted(tmp_path.rglob("*.jsonl"))
        if "model_outputs" in path.parts
        for line in path.read_text().splitlines()
    ]
    assert len(outputs) == 2
    assert "truncated" not in outputs[0]
    assert [json.loads(line)["n"] for line in outputs[0]["data"].splitlines()] == [0, 1]
    assert outputs[1]["truncated"] is True
    assert len(outputs[1]["data"]) == 1024 * 1024


def test_batching_scripts_may_yield(replica: Callable[..., Replica]) -> None:
    script = """
        import json, time
        def init(): pass
        def run(data):
            return (n for n in range(3))
        def run_batch(items):
            time.sleep(0.05)
            return [(n for n in range(3)) for _ in items]
    """
    one = replica(script)
    answers: list[bytes] = []
    clients = [threading.Thread(target=lambda: answers.append(one.score({}).body)) for _ in range(8)]
    for client in clients:
        client.start()
    for client in clients:
        client.join()
    assert answers == [b"0\n1\n2\n"] * 8
