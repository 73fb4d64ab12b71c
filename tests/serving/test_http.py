"""HTTP/1.1 as bytes: what is malformed is refused, what is unusual works."""

from __future__ import annotations

import re
import socket
import time
from collections.abc import Callable

import pytest

from tests.serving.replica import TEXT_SCRIPT, Replica, read_all


@pytest.fixture(scope="module")
def one(shared_replica: Callable[..., Replica]) -> Replica:
    return shared_replica(TEXT_SCRIPT)


def statuses(data: bytes) -> list[int]:
    return [int(found) for found in re.findall(rb"HTTP/1\.1 (\d{3}) ", data)]


HEAD = b"POST /score HTTP/1.1\r\nHost: x\r\n"
BAD = {
    "no http": b"hello\r\n\r\n",
    "binary": bytes(range(256)),
    "tls hello": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 50,
    "http/2 preface": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "http/3.7": b"GET / HTTP/3.7\r\nHost: x\r\n\r\n",
    "no version": b"GET /\r\n\r\n",
    "no host": b"GET / HTTP/1.1\r\n\r\n",
    "two hosts": b"GET / HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n",
    "space before colon": HEAD + b"Content-Length : 2\r\n\r\n{}",
    "obsolete folding of a length": HEAD
    + b"Content-Length:\r\n 2\r\nX: y\r\n\tz\r\nContent-Length: 2\r\n\r\n{}",
    "both lengths": HEAD + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "both lengths swapped": HEAD + b"Transfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\n0\r\n\r\n",
    "two lengths": HEAD + b"Content-Length: 2\r\nContent-Length: 5\r\n\r\n{}",
    "two equal lengths": HEAD + b"Content-Length: 2\r\nContent-Length: 2\r\n\r\n{}",
    "length list": HEAD + b"Content-Length: 2, 2\r\n\r\n{}",
    "plus length": HEAD + b"Content-Length: +2\r\n\r\n{}",
    "negative length": HEAD + b"Content-Length: -2\r\n\r\n{}",
    "hex length": HEAD + b"Content-Length: 0x2\r\n\r\n{}",
    "huge length": HEAD + b"Content-Length: 99999999999999999999999\r\n\r\n{}",
    "unknown coding": HEAD + b"Transfer-Encoding: cow\r\n\r\n{}",
    "identity coding": HEAD + b"Transfer-Encoding: identity\r\n\r\n{}",
    "identity before chunked": HEAD + b"Transfer-Encoding: identity, chunked\r\n\r\n0\r\n\r\n",
    "compressed and chunked": HEAD + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    "chunked in 1.0": b"POST /score HTTP/1.0\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
    "chunked not last": HEAD + b"Transfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n",
    "chunked twice": HEAD + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked, x\r\n\r\n0\r\n\r\n",
    "vertical tab coding": HEAD + b"Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n",
    "bad chunk size": HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n",
    "negative chunk size": HEAD + b"Transfer-Encoding: chunked\r\n\r\n-2\r\n{}\r\n0\r\n\r\n",
    "chunk too long": HEAD + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}xx\r\n0\r\n\r\n",
    "huge chunk size": HEAD + b"Transfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n{}",
    "bare lf": b"GET / HTTP/1.1\nHost: x\n\n",
    "bare cr": b"GET / HTTP/1.1\r\nHost: x\rX: y\r\n\r\n",
    "nul in header": b"GET / HTTP/1.1\r\nHost: x\r\nX: a\x00b\r\n\r\n",
    "nul in target": b"GET /\x00 HTTP/1.1\r\nHost: x\r\n\r\n",
    "space in target": b"GET / score HTTP/1.1\r\nHost: x\r\n\r\n",
    "no colon": b"GET / HTTP/1.1\r\nHost: x\r\nnonsense\r\n\r\n",
    "empty name": b"GET / HTTP/1.1\r\nHost: x\r\n: y\r\n\r\n",
    "name with a space": b"GET / HTTP/1.1\r\nHost: x\r\nX Y: z\r\n\r\n",
    "connect": b"CONNECT x:80 HTTP/1.1\r\nHost: x\r\n\r\n",
    "long target": b"GET /" + b"a" * 20_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
    "long header": b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"a" * 40_000 + b"\r\n\r\n",
    "endless header": b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"a" * 400_000,
    "many headers": b"GET / HTTP/1.1\r\nHost: x\r\n"
    + b"".join(b"X%d: y\r\n" % n for n in range(200))
    + b"\r\n",
    "endless trailers": HEAD + b"Transfer-Encoding: chunked\r\n\r\n0\r\n" + b"X: " + b"a" * 400_000,
    "unknown method": b"BREW / HTTP/1.1\r\nHost: x\r\n\r\n",
    "long method": b"G" * 100_000,
}


@pytest.mark.parametrize("name", BAD)
def test_malformed_requests_are_refused(one: Replica, name: str) -> None:
    # What follows must never be taken for a request: the connection ends with the refusal.
    answer = one.raw(BAD[name] + b"GET /swagger.json HTTP/1.1\r\nHost: smuggled\r\n\r\n", shut=True)
    found = statuses(answer)
    assert len(found) == 1, answer[:500]
    assert found[0] in (400, 404, 405, 408, 413, 414, 431), answer[:500]
    assert b"Connection: close" in answer
    assert b"openapi" not in answer
    assert b"swagger" not in answer
    assert one.request("/").status == 200


def test_pipelined_requests_are_answered_in_order(one: Replica) -> None:
    part = b'POST /score HTTP/1.1\r\nHost: x\r\nContent-Length: 7\r\n\r\n{"n":%d}'
    last = b'POST /score HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 7\r\n\r\n{"n":9}'
    answer = one.raw(b"".join(part % n for n in range(9)) + last)
    assert statuses(answer) == [200] * 10
    assert re.findall(rb'"n": (\d)', answer) == [b"%d" % n for n in range(10)]


def test_too_many_pipelined_requests_are_refused(one: Replica) -> None:
    slow = (
        b'POST /score HTTP/1.1\r\nHost: x\r\nContent-Length: 12\r\n\r\n{"sleep":0.2'[:-11] + b'{"sleep":.2}'
    )
    slow = b'POST /score HTTP/1.1\r\nHost: x\r\nContent-Length: 13\r\n\r\n{"sleep":0.2}'
    found = statuses(one.raw(slow + b"GET / HTTP/1.1\r\nHost: x\r\n\r\n" * 40))
    assert found[0] == 200
    assert found[-1] == 429
    assert len(found) <= 20


def test_chunked_bodies_and_their_trailers(one: Replica) -> None:
    head = b"POST /score HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
    trailers = b"X-Checksum: 5\r\nAuthorization: Bearer x\r\nHost: y\r\n"
    answer = one.raw(head + b'4;ext=1\r\n{"a"\r\n3\r\n: 1\r\n1\r\n}\r\n0\r\n' + trailers + b"\r\n")
    assert statuses(answer) == [200]
    assert b'{"a": 1}' in answer


def test_expect_continue(one: Replica) -> None:
    head = HEAD + b"Connection: close\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n"
    assert statuses(one.raw(head + b"{}")) == [100, 200]
    unknown = head.replace(b"/score", b"/other")
    assert statuses(one.raw(unknown)) == [404]


def test_http_1_0(one: Replica) -> None:
    answer = one.raw(b"GET / HTTP/1.0\r\n\r\n")
    assert statuses(answer) == [200]
    assert b"Connection: close" in answer
    kept = one.raw(b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\nGET / HTTP/1.0\r\n\r\n")
    assert statuses(kept) == [200, 200]
    assert b"Connection: keep-alive" in kept


H2C = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA\r\n"
WEBSOCKET = b"Connection: keep-alive, Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: AA==\r\n"
TLS = b"Connection: upgrade\r\nUpgrade: TLS/1.0\r\n"


@pytest.mark.parametrize("offer", [H2C, WEBSOCKET, TLS])
def test_an_upgrade_is_answered_as_http_1_1(one: Replica, offer: bytes) -> None:
    head = b"GET / HTTP/1.1\r\nHost: x\r\n" + offer + b"\r\n"
    assert statuses(one.raw(head, timeout=2)) == [200]


@pytest.mark.parametrize("offer", [H2C, WEBSOCKET, TLS])
@pytest.mark.parametrize("split", [False, True])
def test_a_request_that_offers_an_upgrade_keeps_its_body(one: Replica, offer: bytes, split: bool) -> None:
    head = b"POST /score HTTP/1.1\r\nHost: x\r\n" + offer
    plain = head + b'Content-Length: 8\r\n\r\n{"n": 1}'
    chunked = head + b'Transfer-Encoding: chunked\r\n\r\n4\r\n{"n"\r\n4\r\n: 2}\r\n0\r\n\r\n'
    expects = head + b'Expect: 100-continue\r\nContent-Length: 8\r\n\r\n{"n": 3}'
    last = b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    whole = plain + chunked + expects + last
    if split:
        with socket.create_connection(("127.0.0.1", one.port), timeout=5) as sock:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for start in range(0, len(whole), 7):
                sock.sendall(whole[start : start + 7])
                time.sleep(0.001)
            answer = read_all(sock)
    else:
        answer = one.raw(whole)
    assert [s for s in statuses(answer) if s != 100] == [200] * 4
    assert re.findall(rb'"n": (\d)', answer) == [b"1", b"2", b"3"]
    assert answer.endswith(b"Healthy")


def test_offers_of_an_upgrade_in_one_packet(one: Replica) -> None:
    head = b"GET /livez HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n"
    answer = one.raw((head + b"\r\n") * 900 + head.replace(b"Upgrade\r", b"Upgrade, close\r", 1) + b"\r\n")
    assert statuses(answer) == [200] * 901


def test_a_request_that_offers_an_upgrade_cannot_frame_its_body_twice(one: Replica) -> None:
    head = b"POST /score HTTP/1.1\r\nHost: x\r\n" + H2C
    both = head + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
    twice = head + b"Content-Length: 2\r\nContent-Length: 5\r\n\r\n{}"
    coding = head + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"
    for bad in (both, twice, coding):
        assert statuses(one.raw(bad + b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", shut=True)) == [400]


def test_a_client_may_close_its_sending_side(one: Replica) -> None:
    request = b'POST /score HTTP/1.1\r\nHost: x\r\nContent-Length: 14\r\n\r\n{"sleep": 0.1}'
    assert statuses(one.raw(request, shut=True)) == [200]


def test_bytes_one_by_one(one: Replica) -> None:
    request = b"POST /score HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}"
    with socket.create_connection(("127.0.0.1", one.port), timeout=5) as sock:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in request:
            sock.sendall(bytes([byte]))
            time.sleep(0.001)
        assert statuses(read_all(sock)) == [200]


def test_a_large_answer_to_a_slow_reader(replica: Callable[..., Replica]) -> None:
    script = "def init(): pass\ndef run(data): return 'x' * 5_000_000\n"
    one = replica(script)
    client = one.client()
    client.request("POST", "/score", "{}")
    time.sleep(0.3)
    assert one.request("/").seconds < 0.5
    response = client.getresponse()
    assert len(response.read()) == 5_000_002
    client.close()


def test_a_client_that_sends_all_and_closes_gets_all_answers(one: Replica) -> None:
    part = b'POST /score HTTP/1.1\r\nHost: x\r\nContent-Length: 14\r\n\r\n{"sleep":0.0%d}'
    answer = one.raw(b"".join(part % n for n in range(1, 6)), shut=True)
    assert re.findall(rb'"sleep": 0.0(\d)', answer) == [b"%d" % n for n in range(1, 6)]


def test_a_client_that_does_not_read_is_not_read_from(replica: Callable[..., Replica]) -> None:
    from pathlib import Path

    script = "def init(): pass\ndef run(data): return 'x' * 3_000_000\n"
    one = replica(script)
    request = b"POST /score HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}"
    with socket.create_connection(("127.0.0.1", one.port), timeout=1) as sock:
        sent = 0
        with pytest.raises(TimeoutError):
            while True:
                sent += sock.send(request * 1000)
        rss = Path(f"/proc/{one.workers[0]}/status").read_text().split("VmRSS:")[1].split()[0]
        assert int(rss) < 150_000
        assert one.score({}).status == 200
        total = 0
        sock.settimeout(20)
        while total < 20_000_000 and (chunk := sock.recv(1 << 20)):
            total += len(chunk)
        assert total >= 20_000_000
