"""What people send, on this server and on Microsoft's: latency and CPU of one client that opens a connection a request.

Both servers run at the same time, one worker each, with the same script; rounds of requests alternate between them.
"""

from __future__ import annotations

import contextlib
import json
import random
import socket
import statistics
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.processes import context_switches, cpu_seconds, memory_mb
from tests.serving import reference
from tests.serving.replica import start

FRAME = """
import pandas as pd
from inference_schema.parameter_types.pandas_parameter_type import PandasParameterType
from inference_schema.schema_decorators import input_schema

SAMPLE = pd.DataFrame({sample})

def init():
    pass

@input_schema("data", PandasParameterType(SAMPLE))
def run(data):
    return {{"rows": len(data), "mean": float(data["income"].mean()), "last": str(data.iloc[-1, -1])}}
"""
ARRAY = """
import numpy as np
from inference_schema.parameter_types.numpy_parameter_type import NumpyParameterType
from inference_schema.schema_decorators import input_schema

def init():
    pass

@input_schema("data", NumpyParameterType(np.zeros((1, 10))))
def run(data):
    return {"rows": len(data), "mean": float(data.mean())}
"""
TEXT = """
def init():
    pass

def run(data):
    return {"length": len(data)}
"""
PARSED = """
import json

def init():
    pass

def run(data):
    return {"length": len(json.loads(data)["text"])}
"""


@dataclass(frozen=True)
class Case:
    """A script and what it is sent."""

    script: str
    body: bytes
    requests: int
    """In one round."""


def _table(rows: int, *, date: bool = False) -> bytes:
    chance = random.Random(1)
    found: list[dict[str, Any]] = []
    for number in range(rows):
        row = {
            "age": chance.randrange(18, 90),
            "income": round(chance.random() * 100_000, 2),
            "score": chance.random(),
            "city": chance.choice(("Berlin", "München", "Paris", "Lyon")),
            "member": chance.random() < 0.5,
        }
        if date:
            row["date"] = f"20{number % 25:02d}-{1 + number % 12:02d}-{1 + number % 28:02d}"
        found.append(row)
    return json.dumps({"data": found}).encode()


def cases() -> dict[str, Case]:
    """By what the table calls them."""
    chance = random.Random(1)
    plain = '{"age": [1], "income": [0.5], "score": [0.5], "city": ["Berlin"], "member": [True]}'
    dated = plain.replace("}", ', "date": pd.to_datetime(["2026-01-01"])}')
    array = [[chance.random() for _ in range(10)] for _ in range(5000)]
    text = json.dumps({"text": "".join(chance.choices("abcdefgh ijklm nopq\n", k=1_000_000))}).encode()
    return {
        "pandas, 100 rows x 5": Case(FRAME.format(sample=plain), _table(100), 200),
        "pandas, 8,000 rows x 5 (0.8 MB)": Case(FRAME.format(sample=plain), _table(8000), 20),
        "pandas, 8,000 rows x 6, one a date (0.9 MB)": Case(
            FRAME.format(sample=dated), _table(8000, date=True), 20
        ),
        "NumPy, 5,000 x 10 (1 MB)": Case(ARRAY, json.dumps({"data": array}).encode(), 25),
        "text, 1 MB": Case(TEXT, text, 150),
        "text, 1 MB, json.loads in run()": Case(PARSED, text, 150),
    }


def ask(port: int, body: bytes) -> tuple[float, bytes]:
    """Seconds from connecting to the end of the answer, and the answer's body.

    Raises:
        RuntimeError: the answer was not 200.
    """
    head = f"POST /score HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n"
    message = f"{head}Connection: close\r\n\r\n".encode() + body
    begin = time.perf_counter()
    with socket.create_connection(("127.0.0.1", port)) as sock:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.sendall(message)
        parts: list[bytes] = []
        while part := sock.recv(65536):
            parts.append(part)
    taken = time.perf_counter() - begin
    answer = b"".join(parts)
    if not answer.startswith(b"HTTP/1.1 200"):
        raise RuntimeError(answer[:500].decode("latin-1"))
    return taken, answer.partition(b"\r\n\r\n")[2]


@dataclass(frozen=True)
class _Served:
    pid: int
    port: int


@contextlib.contextmanager
def _both(script: str) -> Iterator[dict[str, _Served]]:
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        theirs = reference.start(Path(folder), script, {})
        ours = start(script, max_request_wait_time=60_000)
        try:
            ours.wait_ready(300)
            ours.accept()
            reference.wait(theirs)
            yield {
                "ours": _Served(ours.process.pid, ours.port),
                "microsoft": _Served(theirs.process.pid, theirs.port),
            }
        finally:
            ours.clean()
            theirs.stop()


def measure(rounds: int) -> dict[str, Any]:
    """Milliseconds (median) and CPU milliseconds a request, by case and server."""
    return {name: _measure(case, rounds) for name, case in cases().items()}


def _measure(case: Case, rounds: int) -> dict[str, Any]:
    times: dict[str, list[float]] = {"ours": [], "microsoft": []}
    cpu = dict.fromkeys(times, 0.0)
    with _both(case.script) as servers:
        answers = {name: {ask(one.port, case.body)[1] for _ in range(5)} for name, one in servers.items()}
        if answers["ours"] != answers["microsoft"]:
            raise RuntimeError(f"the answers differ: {answers}")
        for _ in range(rounds):
            for name, one in servers.items():
                before = cpu_seconds(one.pid)
                times[name] += [ask(one.port, case.body)[0] for _ in range(case.requests)]
                cpu[name] += cpu_seconds(one.pid) - before
    count = rounds * case.requests
    return {
        name: {
            "ms": round(statistics.median(times[name]) * 1e3, 2),
            "cpu_ms": round(cpu[name] / count * 1e3, 2),
        }
        for name in times
    }


def idle(seconds: float) -> dict[str, Any]:
    """What a service costs that nobody asks anything: memory and how often it wakes up."""
    script = cases()["pandas, 100 rows x 5"].script
    with _both(script) as servers:
        for one in servers.values():
            ask(one.port, _table(100))
        time.sleep(5)
        before = {name: context_switches(one.pid) for name, one in servers.items()}
        time.sleep(seconds)
        return {
            name: {
                "memory_mb": memory_mb(one.pid),
                "wakeups_per_second": round((context_switches(one.pid) - before[name]) / seconds, 2),
            }
            for name, one in servers.items()
        }


def table(found: dict[str, Any], quiet: dict[str, Any]) -> str:
    """Two Markdown tables."""
    lines = [
        "| sent | ms here | ms Microsoft's | ratio | CPU ms here | CPU ms Microsoft's | ratio |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, case in found.items():
        ours, theirs = case["ours"], case["microsoft"]
        lines.append(
            f"| {name} | {ours['ms']:.2f} | {theirs['ms']:.2f} | {theirs['ms'] / ours['ms']:.1f} "
            f"| {ours['cpu_ms']:.2f} | {theirs['cpu_ms']:.2f} | {theirs['cpu_ms'] / max(ours['cpu_ms'], 0.01):.1f} |"
        )
    lines += ["", "| idle | here | Microsoft's |", "|---|---|---|"]
    for key, label in (("memory_mb", "memory, MB"), ("wakeups_per_second", "wake-ups a second")):
        lines.append(f"| {label} | {quiet['ours'][key]} | {quiet['microsoft'][key]} |")
    return "\n".join(lines)
