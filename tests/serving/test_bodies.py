"""Bodies of requests: compressed ones, and all of them together."""

from __future__ import annotations

import gzip
import json
import socket
import time
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.serving.replica import TEXT_SCRIPT, Replica, read_all

BODY = json.dumps({"text": "ä" * 5000}).encode()
RAW = """
    from azureml.contrib.services.aml_request import AMLRequest, rawhttp

    def init(): pass

    @rawhttp
    def run(request):
        return [request.headers.get("Content-Encoding"), request.get_data().hex()]
"""


def raw_deflate(data: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return packer.compress(data) + packer.flush()


@pytest.fixture(scope="module")
def one(shared_replica: Callable[..., Replica]) -> Replica:
    return shared_replica(TEXT_SCRIPT, body_limit_bytes=1_000_000)


@pytest.mark.parametrize(
    ("coding", "data"),
    [
        ("gzip", gzip.compress(BODY, mtime=0)),
        ("GZIP", gzip.compress(BODY, mtime=0)),
        ("x-gzip", gzip.compress(BODY, mtime=0)),
        ("gzip", gzip.compress(BODY[:1000], mtime=0) + gzip.compress(BODY[1000:], mtime=0)),
        ("deflate", zlib.compress(BODY)),
        ("deflate", raw_deflate(BODY)),
        ("identity", BODY),
    ],
)
@pytest.mark.parametrize("chunked", [False, True])
def test_compressed_bodies_are_decoded(one: Replica, coding: str, data: bytes, chunked: bool) -> None:
    body = iter([data[:10], data[10:]]) if chunked else data
    answer = one.request("/score", body, {"Content-Encoding": coding})  # type: ignore[arg-type]
    assert answer.status == 200
    assert answer.json["got"] == json.loads(BODY)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"not gzip at all", "cannot be decoded"),
        (gzip.compress(BODY, mtime=0)[:-10], "it ends too early"),
        (gzip.compress(BODY, mtime=0)[:-8] + b"12345678", "incorrect data check"),
        (b"", "it ends too early"),
    ],
)
def test_a_body_that_is_not_what_its_coding_says_is_the_clients_error(
    one: Replica, data: bytes, reason: str
) -> None:
    answer = one.request("/score", data, {"Content-Encoding": "gzip"})
    assert answer.status == 400
    assert reason in answer.json["message"]
    assert one.score({}).status == 200


@pytest.mark.parametrize("coding", ["br", "zstd", "compress", "gzip, gzip", "aws-chunked"])
def test_other_codings_are_refused_with_the_reason(one: Replica, coding: str) -> None:
    answer = one.request("/score", BODY, {"Content-Encoding": coding})
    assert (answer.status, answer.headers["Accept-Encoding"]) == (415, "gzip, deflate")
    assert coding in answer.json["message"]


@pytest.mark.parametrize("size", [1_000_001, 200_000_000])
def test_bombs_are_refused(one: Replica, size: int) -> None:
    packer = zlib.compressobj(wbits=31)
    bomb = b"".join(packer.compress(b"\0" * (1 << 20)) for _ in range(size >> 20))
    bomb += packer.compress(b"\0" * (size % (1 << 20))) + packer.flush()
    answer = one.request("/score", bomb, {"Content-Encoding": "gzip"})
    assert (answer.status, answer.json["message"]) == (413, "The request body exceeds 1000000 bytes")
    status = Path(f"/proc/{one.workers[0]}/status").read_text()
    assert int(status.split("VmHWM:")[1].split()[0]) < 200_000


def test_scripts_that_speak_http_get_the_body_as_it_came(replica: Callable[..., Replica]) -> None:
    one = replica(RAW)
    data = gzip.compress(b"x", mtime=0)
    assert one.request("/score", data, {"Content-Encoding": "gzip"}).json == ["gzip", data.hex()]
    assert one.request("/score", b"x", {"Content-Encoding": "br"}).json == ["br", b"x".hex()]


def unfinished(one: Replica, size: int) -> socket.socket:
    """A connection that has sent so much of a larger body."""
    sock = socket.create_connection(("127.0.0.1", one.port), timeout=20)
    sock.sendall(b"POST /score HTTP/1.1\r\nHost: x\r\nContent-Length: 900000\r\n\r\n" + b" " * size)
    return sock


def test_unfinished_bodies_do_not_fill_the_memory(replica: Callable[..., Replica]) -> None:
    one = replica(TEXT_SCRIPT, body_limit_bytes=1_000_000, bodies_limit_bytes=2_000_000)
    held = []
    for _ in range(6):
        held.append(unfinished(one, 600_000))
        time.sleep(0.2)
    # The slowest gave way to those that came later; none of the others is kept out.
    assert one.request("/score", b" " * 800_000 + b"{}").status == 200
    answers = [read_all(sock) if _is_answered(sock) else b"" for sock in held]
    refused = [answer for answer in answers if answer]
    assert len(refused) >= 3
    for answer in refused:
        assert b" 503 " in answer.partition(b"\r\n")[0]
        assert b"Retry-After: 1" in answer
    for sock in held:
        sock.close()
    assert all(one.request("/score", b" " * 900_000 + b"{}").status == 200 for _ in range(5))


def _is_answered(sock: socket.socket) -> bool:
    sock.settimeout(0.3)
    try:
        return bool(sock.recv(1, socket.MSG_PEEK))
    except TimeoutError:
        return False


def test_bodies_are_forgotten_with_their_requests(replica: Callable[..., Replica]) -> None:
    one = replica(TEXT_SCRIPT, body_limit_bytes=500_000, bodies_limit_bytes=600_000)
    for _ in range(8):
        assert one.request("/score", b" " * 400_000 + b"{}").status == 200
        assert one.request("/score", b" " * 500_001 + b"{}").status == 413
        assert one.request("/nothing", b" " * 400_000).status == 404
        with unfinished(one, 300_000):
            pass
        gzipped = gzip.compress(b" " * 450_000, mtime=0)
        assert one.request("/score", gzipped, {"Content-Encoding": "gzip"}).status == 500
        assert one.request("/score", gzipped[:-9], {"Content-Encoding": "gzip"}).status == 400


def test_the_limit_of_all_bodies_has_room_for_one(replica: Callable[..., Replica]) -> None:
    one = replica(TEXT_SCRIPT, ready=False, body_limit_bytes=1000, bodies_limit_bytes=999)
    assert one.process.wait(20) == 2
    assert (
        "bodies_limit_bytes: 999 is not allowed; give at least body_limit_bytes, 1000"
        in one.stderr.read_text()
    )
