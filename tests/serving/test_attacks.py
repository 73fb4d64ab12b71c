"""Generated requests: nothing a client sends may crash the server, confuse it or get a 5xx that is not the script's."""

# ruff: noqa: E501

from __future__ import annotations

import contextlib
import random
import re
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.serving import tools
from tests.serving.replica import TEXT_SCRIPT, Replica, read_all

TOLERANT = """
    from inference_schema.schema_decorators import input_schema, output_schema
    from inference_schema.parameter_types.standard_py_parameter_type import StandardPythonParameterType

    def init():
        pass

    @input_schema("data", StandardPythonParameterType(["a"]), convert_to_provided_type=False)
    @input_schema("scale", StandardPythonParameterType(1.5), convert_to_provided_type=False)
    @output_schema(StandardPythonParameterType({"kind": "list"}))
    def run(data, scale=1.0):
        return {"kind": type(data).__name__}
"""

PIECES = [
    b"GET ", b"POST ", b"OPTIONS ", b"/score", b"/", b"/swagger.json", b"?version=3", b" HTTP/1.1", b" HTTP/1.0", b" HTTP/9.9",
    b"\r\n", b"\r\n\r\n", b"\n", b"\r", b"Host: x\r\n", b"Host: y\r\n", b"Content-Length: 2\r\n", b"Content-Length: 0\r\n",
    b"Content-Length: 99999\r\n", b"Content-Length: -1\r\n", b"Content-Length: 1e3\r\n", b"Transfer-Encoding: chunked\r\n",
    b"Transfer-Encoding: chunked, identity\r\n", b"transfer-encoding:chunked\r\n", b"Transfer-Encoding : chunked\r\n",
    b"Connection: close\r\n", b"Connection: keep-alive\r\n", b"Connection: Upgrade\r\nUpgrade: websocket\r\n",
    b"Expect: 100-continue\r\n", b"Content-Type: application/json\r\n", b"Authorization: Bearer x\r\n",
    b"X: " + b"a" * 9000 + b"\r\n", b"X-Request-Id: \xff\xfe\r\n", b"Cookie: a=b\r\n", b" folded\r\n", b"\x00", b"\xff\xfe",
    b"{}", b'{"a": 1}', b"2\r\n{}\r\n0\r\n\r\n", b"0\r\n\r\n", b"ffffffff\r\n", b"5;x=y\r\nhello\r\n", b"a" * 5000, b"\x16\x03\x01",
]  # fmt: skip
VALID = b'POST /score HTTP/1.1\r\nHost: x\r\nContent-Length: 8\r\n\r\n{"a": 1}'
ALLOWED = {100, 200, 400, 401, 404, 405, 408, 413, 414, 415, 429, 431, 503}


def generated(rng: random.Random) -> bytes:
    """A request of pieces, or a valid one with some bytes changed."""
    if rng.random() < 0.5:
        return b"".join(rng.choice(PIECES) for _ in range(rng.randint(1, 14)))
    data = bytearray(VALID * rng.randint(1, 3))
    for _ in range(rng.randint(1, 6)):
        place = rng.randrange(len(data))
        action = rng.random()
        if action < 0.4:
            data[place] = rng.randrange(256)
        elif action < 0.7:
            del data[place : place + rng.randint(1, 8)]
        else:
            data[place:place] = rng.choice(PIECES)
        data = data or bytearray(b"x")
    return bytes(data)


def attack(one: Replica, rng: random.Random) -> None:
    data = generated(rng)
    with socket.create_connection(("127.0.0.1", one.port), timeout=5) as sock:
        with contextlib.suppress(ConnectionError):
            while data:
                cut = rng.randint(1, len(data)) if rng.random() < 0.5 else len(data)
                sock.sendall(data[:cut])
                data = data[cut:]
            sock.shutdown(socket.SHUT_WR)
        answer = read_all(sock)
    for status in re.findall(rb"(?:^|[}\]\"y])HTTP/1\.1 (\d{3}) ", answer):
        assert int(status) in ALLOWED | {500}, (data, answer[:300])
    for failed in re.findall(rb"HTTP/1\.1 500 .*?\r\n\r\n", answer, re.DOTALL):
        # The script fails on bodies that are no JSON; that is its own affair.
        assert b"x-ms-run-function-failed: True" in failed


def fuzz(one: Replica, count: int, seed: int) -> None:
    rng = random.Random(seed)
    workers = one.workers
    for _ in range(count):
        attack(one, rng)
    assert one.score({"a": 1}).json["got"] == {"a": 1}
    assert one.workers == workers
    assert [line for line in one.log() if line["message"] == "a connection failed"] == []
    assert "serving_connections 1" in one.request("/metrics").body.decode()


def test_raw_sockets(replica: Callable[..., Replica]) -> None:
    fuzz(replica(TEXT_SCRIPT, header_timeout_seconds=1, body_timeout_seconds=1), 300, 1)


@pytest.mark.reliability
@pytest.mark.parametrize("seed", range(10))
def test_raw_sockets_for_longer(replica: Callable[..., Replica], seed: int) -> None:
    fuzz(replica(TEXT_SCRIPT, header_timeout_seconds=1, body_timeout_seconds=1), 3000, seed)


def test_schemathesis_shortly(replica: Callable[..., Replica]) -> None:
    program = Path(sys.executable).with_name("st")
    if not program.exists():
        pytest.skip("schemathesis is not installed in this environment")
    conform(replica, program, "3", 3)


@pytest.mark.reliability
@pytest.mark.parametrize("version", ["2", "3", "3.1"])
def test_schemathesis(replica: Callable[..., Replica], version: str) -> None:
    try:
        folder = tools.environment("schemathesis-4", ("schemathesis>=4,<5",))
    except tools.UnavailableError as problem:
        pytest.skip(str(problem))
    conform(replica, folder / "bin/st", version, 150)


def conform(replica: Callable[..., Replica], program: Path, version: str, examples: int) -> None:
    """The service does what its own OpenAPI document says."""
    one = replica(TOLERANT, auth_enabled=True, header_timeout_seconds=2)
    workers = one.workers
    result = subprocess.run(
        [
            str(program), "run", f"http://127.0.0.1:{one.port}/swagger.json?version={version}",
            "--url", f"http://127.0.0.1:{one.port}", "-H", "Authorization: Bearer first-key",
            # GET /score with its parameters in the query is v1's, and in no version of the document;
            # what a decorated run() makes of values of other types is the script's affair.
            "--checks", "all", "--exclude-checks", "unsupported_method,negative_data_rejection", "--max-examples", str(examples), "--seed", "7", "--no-color", "--generation-database", "none",
        ],
        capture_output=True, text=True, timeout=250, check=False, cwd=one.folder,
    )  # fmt: skip
    assert result.returncode == 0, result.stdout[-6000:] + result.stderr[-2000:]
    assert one.workers == workers
