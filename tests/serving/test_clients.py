"""Clients of other languages and libraries as they come, against `/score`: each sends n = 0 to 4 and prints answers.

Where no runtime can be had (.NET, PowerShell, R, Power BI, browsers), what it sends is written down.
"""

from __future__ import annotations

import gzip
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.serving.replica import Replica
from tests.serving.tools import UnavailableError, environment

HERE = Path(__file__).parent / "clients"
SCRIPT = """
    import json
    def init(): pass
    def run(data): return {"n": json.loads(data)["n"]}
"""
EXPECTED = [f'200 {{"n": {n}}}' for n in range(5)]


def curl(*options: str) -> str:
    """Five calls of curl, each with its status before its answer."""
    one = "printf '200 '; curl --fail --silent --show-error --data '{{\"n\": {n}}}' {option} \"$1\"; echo"
    return "; ".join(one.format(n=n, option=options[n % len(options)]) for n in range(5))


CLIENTS: dict[str, tuple[str, list[str]]] = {
    "java": ("java", ["java", str(HERE / "Client.java")]),
    "go": ("go", ["go", "run", str(HERE / "client.go")]),
    "node": ("node", ["node", str(HERE / "client.mjs")]),
    "rust": ("rustc", ["sh", "-c", f'rustc -o client "{HERE}/client.rs" && ./client "$1"', "sh"]),
    "perl": ("perl", ["perl", str(HERE / "client.pl")]),
    "urllib": (sys.executable, [sys.executable, str(HERE / "client.py"), "urllib"]),
    "curl": ("curl", ["sh", "-c", curl("", "--http1.0", "--http2", "-H 'Transfer-Encoding: chunked'"), "sh"]),
    "curl expects": ("curl", ["sh", "-c", curl("-H 'Expect: 100-continue'", "--compressed"), "sh"]),
    "wget": (
        "wget",
        ["sh", "-c", "for n in 0 1 2 3 4; do printf '200 '; "
         "wget -q -O - --post-data \"{\\\"n\\\": $n}\" \"$1\" || exit 1; echo; done", "sh"],
    ),
}  # fmt: skip
LIBRARIES = ("requests", "httpx", "aiohttp")


@pytest.fixture(scope="module")
def one(shared_replica: Callable[..., Replica]) -> Replica:
    return shared_replica(SCRIPT)


def said(command: list[str], one: Replica, folder: Path) -> list[str]:
    """What a client prints."""
    url = f"http://127.0.0.1:{one.port}/score"
    done = subprocess.run(
        [*command, url], capture_output=True, text=True, timeout=240, cwd=folder, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout.splitlines()


@pytest.mark.parametrize("name", CLIENTS)
def test_a_client_as_it_comes(one: Replica, name: str, tmp_path: Path) -> None:
    program, command = CLIENTS[name]
    if shutil.which(program) is None:
        pytest.skip(f"needs {program}")
    assert said(command, one, tmp_path) == EXPECTED


def test_libraries_of_python(one: Replica, tmp_path: Path) -> None:
    try:
        python = environment("clients", LIBRARIES) / "bin/python"
    except (UnavailableError, OSError) as problem:
        pytest.skip(str(problem))
    for library in LIBRARIES:
        assert said([str(python), str(HERE / "client.py"), library], one, tmp_path) == EXPECTED, library


def head(*lines: str) -> bytes:
    """The head of a request."""
    return "\r\n".join(["POST /score HTTP/1.1", *lines, "\r\n"]).encode()


BODY = b'{"n": 7}'
PACKED = gzip.compress(BODY, mtime=0)
JSON = "Content-Type: application/json; charset=utf-8"
SHAPES: dict[str, bytes] = {
    ".NET HttpClient": head("Host: x", JSON, "Content-Length: 8") + BODY,
    ".NET HttpClient, PostAsJsonAsync": head("Host: x", "Transfer-Encoding: chunked", JSON)
    + b"8\r\n" + BODY + b"\r\n0\r\n\r\n",
    ".NET Framework, Windows PowerShell": head(
        "User-Agent: Mozilla/5.0 (Windows NT; Windows NT 10.0; de-DE) WindowsPowerShell/5.1.19041.1",
        "Content-Type: application/x-www-form-urlencoded", "Host: x", "Content-Length: 8",
        "Expect: 100-continue", "Connection: Keep-Alive") + BODY,
    "Power BI, Web.Contents": head(
        "Accept-Encoding: gzip, deflate", "User-Agent: Microsoft.Data.Mashup", "Content-Type: application/json",
        "Host: x", "Content-Length: 8", "Expect: 100-continue", "Connection: Keep-Alive") + BODY,
    "R, httr": head(
        "Host: x", "User-Agent: libcurl/7.88 r-curl/5.0 httr/1.4", "Accept-Encoding: deflate, gzip, br, zstd",
        "Accept: application/json, text/xml, application/xml, */*", "Content-Type: application/json",
        "Content-Length: 8") + BODY,
    "Chrome, fetch": head(
        "Host: x", "Connection: keep-alive", "Content-Length: 8", 'sec-ch-ua-platform: "Linux"',
        "Content-Type: text/plain;charset=UTF-8", "Accept: */*", "Origin: https://page.example",
        "Sec-Fetch-Site: cross-site", "Accept-Encoding: gzip, deflate, br, zstd") + BODY,
    "Ruby, net/http": head(
        "Accept-Encoding: gzip;q=1.0,deflate;q=0.6,identity;q=0.3", "Accept: */*", "User-Agent: Ruby",
        "Host: x", "Content-Type: application/x-www-form-urlencoded", "Content-Length: 8") + BODY,
    "compressed": head("Host: x", "Content-Encoding: gzip", f"Content-Length: {len(PACKED)}") + PACKED,
    "HTTP/1.0": b"POST /score HTTP/1.0\r\nContent-Length: 8\r\nConnection: Keep-Alive\r\n\r\n" + BODY,
}  # fmt: skip


@pytest.mark.parametrize("name", SHAPES)
def test_a_client_whose_requests_are_written_down(one: Replica, name: str) -> None:
    last = b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    answer = one.raw(SHAPES[name] * 2 + last)
    statuses = [int(status) for status in re.findall(rb"HTTP/1\.1 (\d{3}) ", answer) if status != b"100"]
    assert statuses == [200, 200, 200]
    bodies = re.findall(rb'\r\n\r\n(\{"n": \d\})', answer)
    assert [json.loads(body) for body in bodies] == [{"n": 7}] * 2
