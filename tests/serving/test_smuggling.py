"""Framing attacks, with an independent parser (h11) as the judge of what is a request and what is its body.

The generator writes a few scoring requests with every odd way to give a length, with a forged request inside a body.
Whatever the script was given must be a body that the judge also found, in the same order; nothing forged is ever run.
"""

# ruff: noqa: E501

from __future__ import annotations

import contextlib
import json
import random
import re
import socket
from collections.abc import Callable

import pytest

from tests.serving.replica import Replica, read_all

h11 = pytest.importorskip("h11")

# Answers with the body it got, in a form that can be found in the bytes that come back.
ECHO = """
    import json

    def init():
        pass

    def run(data):
        return {"got": data.encode("utf-8", "surrogatepass").hex()}
"""
FORGED = b'POST /score HTTP/1.1\r\nHost: x\r\nContent-Length: 12\r\n\r\n{"forged":1}'
LENGTHS = ["Content-Length: {n}", "content-length:{n}", "Content-Length:\t{n} ", "Content-Length: 0{n}", "Content-Length: +{n}",
           "Content-Length: {n}, {n}", "Content-Length: {n}\r\nContent-Length: {n}", "Content-Length: 0\r\nContent-Length: {n}",
           "Content-Length: {less}", "Content-Length: {more}", "Content-Length : {n}", "Content-Length:\r\n {n}",
           " Content-Length: {n}", "Content_Length: {n}", "Content-Length: {n}\x0b", "Content-Length: 0x{n:x}",
           "X: y\rContent-Length: {n}", "X: y\nContent-Length: {n}", "Content-Length: {n};"]  # fmt: skip
CODINGS = ["Transfer-Encoding: chunked", "transfer-encoding:CHUNKED", "Transfer-Encoding: \tchunked ", "Transfer-Encoding : chunked",
           "Transfer-Encoding:\r\n chunked", "Transfer-Encoding: xchunked", "Transfer-Encoding: chunked, identity",
           "Transfer-Encoding: identity, chunked", "Transfer-Encoding: chunked, chunked", "Transfer-Encoding: \"chunked\"",
           "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked", "Transfer-Encoding: chunked\r\nTransfer-Encoding: x",
           "Transfer-Encoding: \x0bchunked", "Transfer_Encoding: chunked", "Transfer-Encoding: chunked;q=1", "Transfer-Encoding: gzip, chunked",
           "X: y\nTransfer-Encoding: chunked", "X: y\rTransfer-Encoding: chunked", "Transfer-Encoding:"]  # fmt: skip
SIZES = ["{n:x}", "{n:X}", "0{n:x}", "{n:x};a=b", "{n:x} ", " {n:x}", "0x{n:x}", "+{n:x}", "-{n:x}", "{n:x}\t", "{n:x};a=\"\n\"",
         "{less:x}", "{more:x}", "1{n:016x}", "{n:x}\r", "{n:x};", "", "{n}_0"]  # fmt: skip
ENDS = [b"\r\n"] * 12 + [b"\n", b"\r", b"\r\r\n", b" \r\n"]
TAILS = [b"0\r\n\r\n"] * 6 + [
    b"0\r\nX: y\r\n\r\n", b"0\r\nContent-Length: 5\r\n\r\n", b"0\n\n", b"00\r\n\r\n", b"0\r\n", b"-0\r\n\r\n", b"0;x\r\n\r\n", b"0\r\n\n",
    b"0\r\nTransfer-Encoding: chunked\r\n\r\n",
]  # fmt: skip


def written(text: str, size: int) -> bytes:
    return text.format(n=size, less=max(0, size - 3), more=size + 5).encode("latin-1")


def chunked(rng: random.Random, body: bytes) -> bytes:
    odd = rng.random() < 0.5
    cut = rng.randint(1, len(body))
    parts: list[bytes] = []
    for piece in filter(None, (body[:cut], body[cut:])):
        size = written(rng.choice(SIZES) if odd and rng.random() < 0.5 else "{n:x}", len(piece))
        first, second = (rng.choice(ENDS), rng.choice(ENDS)) if odd else (b"\r\n", b"\r\n")
        parts.append(size + first + piece + second)
    return b"".join(parts) + (rng.choice(TAILS) if odd else b"0\r\n\r\n")


def generated(rng: random.Random) -> bytes:
    """Some requests in a row, then a plain one that ends the connection."""
    found = b""
    for number in range(rng.randint(1, 3)):
        body = json.dumps({"n": number}).encode() + (FORGED if rng.random() < 0.7 else b"")
        coded = rng.random() < 0.5
        payload = chunked(rng, body) if coded else body
        usual = "Transfer-Encoding: chunked" if coded else "Content-Length: {n}"
        headers = [rng.choice(CODINGS if coded else LENGTHS) if rng.random() < 0.6 else usual]
        if rng.random() < 0.3:
            headers.append(rng.choice(LENGTHS + CODINGS))
        rng.shuffle(headers)
        headers.insert(rng.randint(0, len(headers)), "Host: x")
        lines = b"".join(written(line, len(body)) + rng.choice(ENDS) for line in headers)
        version = rng.choice([b"1.1"] * 9 + [b"1.0"])
        found += b"POST /score HTTP/" + version + b"\r\n" + lines + rng.choice(ENDS) + payload
    return found + b"GET /livez HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"


def judged(data: bytes) -> list[bytes]:
    """The bodies of the scoring requests in these bytes, until one is malformed or the connection is over."""
    connection = h11.Connection(h11.SERVER, max_incomplete_event_size=10**6)
    connection.receive_data(data)
    connection.receive_data(b"")
    bodies: list[bytes] = []
    body, target = b"", b""
    with contextlib.suppress(h11.RemoteProtocolError):
        while True:
            event = connection.next_event()
            if isinstance(event, h11.Request):
                body, target = b"", event.target
            elif isinstance(event, h11.Data):
                body += bytes(event.data)
            elif isinstance(event, h11.EndOfMessage):
                if target == b"/score":
                    bodies.append(body)
                connection.send(h11.Response(status_code=200, headers=[("Content-Length", "0")]))
                connection.send(h11.EndOfMessage())
                if connection.our_state is h11.MUST_CLOSE or connection.their_state is h11.MUST_CLOSE:
                    return bodies
                connection.start_next_cycle()
            else:
                return bodies
    return bodies


def exchange(one: Replica, rng: random.Random, data: bytes) -> bytes:
    """What comes back for bytes that are sent in pieces of any size."""
    with socket.create_connection(("127.0.0.1", one.port), timeout=5) as sock:
        with contextlib.suppress(ConnectionError):
            rest = data
            while rest:
                cut = rng.randint(1, len(rest)) if rng.random() < 0.3 else len(rest)
                sock.sendall(rest[:cut])
                rest = rest[cut:]
            sock.shutdown(socket.SHUT_WR)
        return read_all(sock)


def attack(one: Replica, count: int, seed: int) -> int:
    """Compare `count` exchanges with the judge; how many bodies the script got."""
    rng = random.Random(seed)
    workers, ran = one.workers, 0
    for _ in range(count):
        data = generated(rng)
        answer = exchange(one, rng, data)
        given = [bytes.fromhex(found.decode()) for found in re.findall(rb'"got": "([0-9a-f]*)"', answer)]
        expected = judged(data)
        assert given == expected[: len(given)], (data, given, expected)
        assert b'{"forged":1}' not in given, data
        assert not re.search(rb"HTTP/1\.1 5\d\d ", answer), (data, answer)
        ran += len(given)
    assert one.workers == workers
    assert [line for line in one.log() if line["message"] == "a connection failed"] == []
    return ran


def test_nothing_is_smuggled(replica: Callable[..., Replica]) -> None:
    one = replica(ECHO, header_timeout_seconds=1, body_timeout_seconds=1)
    # Many of the requests are good: a server that refuses everything would prove nothing.
    assert attack(one, 200, 1) > 15


@pytest.mark.reliability
@pytest.mark.parametrize("seed", range(2, 10))
def test_nothing_is_smuggled_for_longer(replica: Callable[..., Replica], seed: int) -> None:
    assert attack(replica(ECHO, header_timeout_seconds=1, body_timeout_seconds=1), 5_000, seed) > 400
