"""Data collection under hostile data and failing stores: nothing torn, nothing invalid, everything lost is counted."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from serving import metrics
from serving.collection import frames, records
from serving.collection.collector import Writer, table
from serving.collection.recorder import Recorder
from serving.collection.settings import Settings
from serving.logs import Log
from tests.serving.replica import TEXT_SCRIPT, Replica
from tests.serving.test_collection import collecting, metric, wait_for
from tests.serving.test_collection import records as kept

HEAD = {
    "collection": "model_inputs", "time": "2026-02-03T04:05:06.007Z", "correlation_id": "a",
    "type": "application/json", "status": 200,
}  # fmt: skip
ORIGIN = {"service": "s", "models": {"m": "1"}, "writer": "w"}
BATCHED = """
    def init(): pass

    def run(data):
        return [data]

    def run_batch(items):
        return [[item] for item in items]
"""


def refuse(constant: str) -> Any:
    raise AssertionError(f"{constant} is no JSON")


def written(data: bytes, kind: str = "application/json") -> dict[str, Any]:
    """The record of some data, read by a strict reader."""
    line = records.line("i", "s", {"m": "1"}, {**HEAD, "type": kind}, data)
    assert line.count(b"\n") == 1
    assert line.endswith(b"\n")
    assert b"\r" not in line
    return json.loads(line, parse_constant=refuse)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b'{"a": 1}', {"a": 1}),
        (b'[1,\r\n 2,\n"x\\ny"]', [1, 2, "x\ny"]),
        (b"[NaN, -Infinity]", ["NaN", "-Infinity"]),
        (b'"\\ud800"', "\ud800"),
        ('"\u2028é"'.encode(), "\u2028é"),
        (b"", ""),
        (b"{broken\n", "{broken\n"),
        (b"1" * 5000, "1" * 5000),
        (b"[" * 100_000 + b"]" * 100_000, "[" * 100_000 + "]" * 100_000),
        (b'{"data": 1}, "status": 500, "x": {"y": 1}', '{"data": 1}, "status": 500, "x": {"y": 1}'),
    ],
)
def test_whatever_comes_is_one_line_of_json(data: bytes, expected: object) -> None:
    record = written(data)
    assert record["data"] == expected
    assert record["status"] == 200


def test_numbers_are_kept_as_they_were_sent() -> None:
    line = records.line("i", "s", {}, HEAD, b"[1.10, 12345678901234567890.5, 1e999]")
    assert b'"data":[1.10, 12345678901234567890.5, 1e999]}' in line


def test_images_are_base64() -> None:
    assert written(b"\x89PNG\n", "image/png")["data_base64"] == "iVBORwo="
    assert written(b"{}", "image/svg+xml")["data_base64"] == "e30="


def test_hostile_rows_do_not_lose_the_others_of_a_parquet_file() -> None:
    pytest.importorskip("pyarrow")
    import io

    from pyarrow import parquet

    given = [b'"\\ud800"', b"[1e999]", b"[NaN]", b"plain", b"[" * 990 + b"]" * 990, b"\xff", b'{"a": 1}']
    rows = parquet.read_table(
        io.BytesIO(table(b"".join(records.line("i", "s", {}, HEAD, data) for data in given)))
    ).to_pylist()
    data = [row["data"] and json.loads(row["data"], parse_constant=refuse) for row in rows]
    assert data[:4] == ["\ud800", ["1e999"], ["NaN"], "plain"]
    assert rows[5]["data_base64"] == "/w=="
    assert data[6] == {"a": 1}


class Broken:
    """A store that fails in a way nobody thought of, then works."""

    def __init__(self) -> None:
        self.lines: list[bytes] = []
        self.failures = 1

    def append(self, _name: str, data: bytes) -> None:
        if self.failures:
            self.failures -= 1
            raise RuntimeError("no idea")
        self.lines.append(data)

    put = append


def test_an_unknown_failure_loses_what_it_hit_and_no_more() -> None:
    read, write = os.pipe()
    store, row = Broken(), [0.0] * 64
    log = Log(write, {})
    writer = Writer(Settings(1, ("model_inputs",), "jsonl", "/x"), store, ORIGIN, row, log)  # pyright: ignore[reportArgumentType]
    writer.add(HEAD, b"1")
    writer.add(HEAD, b"2")
    writer.flush()
    writer.add(HEAD, b"3")
    writer.flush()
    log.flush()
    assert (row[metrics.COLLECT_DROPPED], row[metrics.COLLECTED]) == (2, 1)
    assert [json.loads(line)["data"] for line in store.lines] == [3]
    assert b"no idea" in os.read(read, 65536)
    os.close(read)
    os.close(write)


def test_a_collector_that_does_not_read_costs_records_and_bounded_memory() -> None:
    import socket
    from types import SimpleNamespace

    address = f"\0mldeploy-test-{os.getpid()}-{os.urandom(8).hex()}"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(address)
        listener.listen(1)
        row = [0.0] * 64
        one = Recorder(
            Settings(1, ("model_inputs",), "jsonl", "/x"), address, SimpleNamespace(row=row)  # pyright: ignore[reportArgumentType]
        )  # fmt: skip
        body = b"x" * 1_000_000
        for _ in range(60):
            one.add("model_inputs", "a", body, "text/plain")
            one.flush()
        assert one._pending <= 17 * 1024 * 1024
        assert 40 <= row[metrics.COLLECT_DROPPED] <= 45
        sent = 60 - int(row[metrics.COLLECT_DROPPED])
        peer, _ = listener.accept()
        with peer:
            decoder, found = frames.Decoder(), []
            peer.settimeout(5)
            while len(found) < sent:
                one.flush()
                found += decoder.feed(peer.recv(1 << 20))
        assert [data for _, data in found] == [body] * sent
        assert not one.pending
        one._close()


def test_large_bodies_in_several_threads(replica: Callable[..., Replica], tmp_path: Path) -> None:
    one = replica(
        TEXT_SCRIPT,
        collect_model_data=collecting(tmp_path / "kept"),
        replica_max_concurrent_requests=4,
        max_request_wait_time=10_000,
    )

    def client(number: int) -> None:
        for turn in range(3):
            name = f"{number}-{turn}"
            body = json.dumps({"name": name, "fill": name * 100_000})
            assert one.request("/score", body, {"x-request-id": name}).status == 200

    threads = [threading.Thread(target=client, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    wait_for(
        lambda: (
            metric(one, "serving_collected_records_total")
            + metric(one, "serving_collected_records_dropped_total")
            == 24
        )
    )
    found = kept(tmp_path / "kept", "model_inputs")
    assert len(found) >= 6
    for record in found:
        assert record["data"]["name"] == record["correlationid"]
        assert record["data"]["fill"] == record["correlationid"] * 100_000
    lost = metric(one, "serving_collected_records_dropped_total")
    assert len(found) + len(kept(tmp_path / "kept", "model_outputs")) == 24 - lost


def test_each_request_of_a_batch_is_a_record(replica: Callable[..., Replica], tmp_path: Path) -> None:
    one = replica(BATCHED, collect_model_data=collecting(tmp_path / "kept"), max_request_wait_time=10_000)

    def client(number: int) -> None:
        for turn in range(10):
            assert one.request("/score", f"{number}{turn}", {"x-request-id": f"{number}{turn}"}).status == 200

    threads = [threading.Thread(target=client, args=(number,)) for number in range(1, 7)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    wait_for(lambda: len(kept(tmp_path / "kept", "model_outputs")) == 60)
    for record in kept(tmp_path / "kept", "model_outputs"):
        assert record["data"] == [record["correlationid"]]


class _Slow(BaseHTTPRequestHandler):
    """An append blob service whose second block of the first blob fails half way."""

    def do_PUT(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        path, _, query = self.path.partition("?")
        blobs: dict[str, bytes] = self.server.blobs  # pyright: ignore[reportAttributeAccessIssue]
        if "comp=appendblock" not in query:
            blobs[path] = b""
        elif len(blobs) == 1 and blobs[path]:
            self.send_response(403, "Denied")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        else:
            blobs[path] += body
        self.send_response(201)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_args: object) -> None:
        pass


@pytest.fixture
def blob_service() -> Iterator[ThreadingHTTPServer]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Slow)
    server.blobs = {}  # pyright: ignore[reportAttributeAccessIssue]
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def test_nothing_follows_half_a_line_in_a_blob(blob_service: ThreadingHTTPServer) -> None:
    storage = pytest.importorskip("azure.storage.blob")
    from serving.collection.stores import BlobContainer

    store = BlobContainer("https://unused.example/container")
    store._client = storage.ContainerClient(
        f"http://127.0.0.1:{blob_service.server_address[1]}", "container", retry_total=0
    )
    long = b'"' + b"x" * 6_000_000 + b'"\n'
    with pytest.raises(OSError, match="403"):
        store.append("a/b.jsonl", long)
    store.append("a/b.jsonl", b"1\n")
    store.append("a/b.jsonl", b"2\n")
    blobs: dict[str, bytes] = blob_service.blobs  # pyright: ignore[reportAttributeAccessIssue]
    assert sorted((name, len(data)) for name, data in blobs.items()) == [
        ("/container/a/b-1.jsonl", 4), ("/container/a/b.jsonl", 4 * 1024 * 1024),
    ]  # fmt: skip
    assert blobs["/container/a/b-1.jsonl"] == b"1\n2\n"
