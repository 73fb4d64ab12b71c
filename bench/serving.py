"""Measure the scoring server against others: same script, same model, same machine, interleaved rounds.

    python -m bench.serving [--rounds 5] [--seconds 3] [--servers ours,microsoft,KServe,…] [--output results.json]
    python -m bench.serving --payloads-only

Needs `wrk` on PATH, but for the payloads (`bench/payloads.py`). Each server runs one worker. Every round visits all
servers at every concurrency, so that what else the machine does meets all of them; medians are compared. CPU
microseconds a request (server processes only) are less sensitive to a busy machine than requests a second. Microsoft's
server and the peers (`bench/peers.py`; only those named with `--servers`) run in environments of their own, which are
made at the first call.
"""

from __future__ import annotations

import argparse
import contextlib
import datetime
import functools
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench import payloads, peers
from bench.processes import cpu_seconds, memory_mb
from tests.serving import reference
from tests.serving.replica import Replica, start

ROOT = Path(__file__).resolve().parent.parent
SCRIPT = (ROOT / "entry_scripts/diabetes/score.py").read_text()
MODEL = ROOT / "models/diabetes"
ROW = {"data": [[0.04, 0.05, 0.06, 0.02, -0.04, -0.03, -0.04, 0.0, 0.02, -0.02]]}
CONCURRENCY = (1, 8, 64)

BARE = """
import asyncio, json, os, sys
import httptools, uvloop
sys.path.insert(0, os.getcwd())
import score
score.init()

class Bare(asyncio.Protocol):
    def connection_made(self, transport):
        self.transport, self.parser = transport, httptools.HttpRequestParser(self)
    def data_received(self, data):
        self.parser.feed_data(data)
    def on_message_begin(self):
        self.body = b""
    def on_body(self, body):
        self.body += body
    def on_message_complete(self):
        answer = json.dumps(score.run(**json.loads(self.body)) if self.body else "Healthy").encode()
        head = b"HTTP/1.1 200 OK\\r\\nContent-Type: application/json\\r\\nContent-Length: %d\\r\\n\\r\\n"
        self.transport.write(head % len(answer) + answer)

async def main():
    server = await asyncio.get_running_loop().create_server(Bare, "127.0.0.1", int(sys.argv[1]))
    await server.serve_forever()

uvloop.run(main())
"""

UVICORN = """
import json, os, sys
import uvicorn
sys.path.insert(0, os.getcwd())
import score
score.init()

async def app(scope, receive, send):
    if scope["type"] != "http":
        return
    body, more = b"", True
    while more:
        message = await receive()
        body, more = body + message.get("body", b""), message.get("more_body", False)
    answer = json.dumps(score.run(**json.loads(body)) if body else "Healthy").encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(answer)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": answer})

uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[1]), access_log=False, log_level="error")
"""


@dataclass
class Running:
    """A server under test."""

    pid: int
    port: int
    seconds_to_answer: float
    headers: dict[str, str]
    tls: bool = False
    path: str = "/score"
    body: Any = field(default_factory=lambda: ROW)


def free_port() -> int:
    """A port nobody listens on."""
    import socket

    with socket.create_server(("127.0.0.1", 0)) as sock:
        return sock.getsockname()[1]


def wait_http(port: int) -> None:
    """Until something answers."""
    import http.client

    end = time.monotonic() + 120
    while time.monotonic() < end:
        with contextlib.suppress(OSError, http.client.HTTPException):
            client = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
            client.request("GET", "/")
            client.getresponse().read()
            return
        time.sleep(0.02)
    raise TimeoutError(f"nothing answers on port {port}")


@contextlib.contextmanager
def ours(*, script: str = SCRIPT, tls: bool = False, **config: Any) -> Iterator[Running]:
    """This project's server."""
    folder = Path(tempfile.mkdtemp(prefix="bench-"))
    if tls:
        from tests.serving.test_tls import write_certificate

        write_certificate(folder, "bench")
        config["ssl"] = {"cert_file": str(folder / "cert.pem"), "key_file": str(folder / "key.pem")}
    begin = time.monotonic()
    one: Replica = start(script, model_dir=str(MODEL), max_request_wait_time=10_000, **config)
    try:
        one.wait_ready(300)
        one.accept()
        taken = time.monotonic() - begin
        headers = {"Authorization": "Bearer first-key"} if config.get("auth_enabled") else {}
        yield Running(one.process.pid, one.port, taken, headers, tls)
    finally:
        one.clean()
        shutil.rmtree(folder)


@contextlib.contextmanager
def scraped() -> Iterator[Running]:
    """This project's server, with somebody who reads its metrics every second, as Prometheus does at most."""
    done = threading.Event()

    def scrape(port: int) -> None:
        while not done.wait(1):
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
                answer.read()

    with ours() as running:
        reader = threading.Thread(target=scrape, args=(running.port,))
        reader.start()
        try:
            yield running
        finally:
            done.set()
            reader.join()


@contextlib.contextmanager
def collecting() -> Iterator[Running]:
    """This project's server, which keeps every input and output in a folder."""
    with tempfile.TemporaryDirectory(prefix="bench-collected-") as folder:
        with ours(collect_model_data={"enabled": True, "destination": folder}) as running:
            yield running
        if not any(Path(folder).rglob("*.jsonl")):
            raise RuntimeError("nothing was collected")


@contextlib.contextmanager
def microsoft() -> Iterator[Running]:
    """azureml-inference-server-http."""
    folder = Path(tempfile.mkdtemp(prefix="bench-"))
    begin = time.monotonic()
    one = reference.start(folder, SCRIPT, {"AZUREML_MODEL_DIR": str(MODEL)})
    try:
        reference.wait(one)
        yield Running(one.process.pid, one.port, time.monotonic() - begin, {})
    finally:
        one.stop()
        shutil.rmtree(folder)


@contextlib.contextmanager
def program(text: str) -> Iterator[Running]:
    """A bare server around the same script."""
    folder = Path(tempfile.mkdtemp(prefix="bench-"))
    (folder / "score.py").write_text(SCRIPT)
    (folder / "main.py").write_text(text)
    port = free_port()
    begin = time.monotonic()
    environ = {**os.environ, "AZUREML_MODEL_DIR": str(MODEL)}
    process = subprocess.Popen([sys.executable, "main.py", str(port)], cwd=folder, env=environ)
    try:
        wait_http(port)
        yield Running(process.pid, port, time.monotonic() - begin, {})
    finally:
        process.terminate()
        process.wait(20)
        shutil.rmtree(folder)


@contextlib.contextmanager
def peer(name: str) -> Iterator[Running]:
    """Another server of models, as its documentation tells."""
    with peers.serve(name) as one:
        yield Running(one.pid, one.port, one.seconds_to_answer, {}, path=one.path, body=one.body)


SERVERS: dict[str, Callable[[], contextlib.AbstractContextManager[Running]]] = {
    "ours": ours,
    "ours, key + TLS": lambda: ours(auth_enabled=True, tls=True),
    "ours, batching": lambda: ours(script=SCRIPT + '\nBATCHING = {"row_wise": True}\n'),
    "ours, metrics": scraped,
    "ours, collection": collecting,
    "microsoft": microsoft,
    "httptools + run()": lambda: program(BARE),
    "uvicorn + run()": lambda: program(UVICORN),
}
USUAL = tuple(SERVERS)
SERVERS.update({name: functools.partial(peer, name) for name in peers.PEERS})


def load(one: Running, connections: int, seconds: int, folder: Path) -> dict[str, float]:
    """One run of wrk.

    Raises:
        RuntimeError: an answer was not 200.
    """
    lines = ['wrk.method = "POST"', f"wrk.body = {json.dumps(json.dumps(one.body))}"]
    for name, value in {"Content-Type": "application/json", **one.headers}.items():
        lines.append(f'wrk.headers["{name}"] = "{value}"')
    (folder / "request.lua").write_text("\n".join(lines))
    url = f"{'https' if one.tls else 'http'}://127.0.0.1:{one.port}{one.path}"
    command = [
        "wrk",
        "-t1",
        f"-c{connections}",
        f"-d{seconds}s",
        "--latency",
        "-s",
        str(folder / "request.lua"),
        url,
    ]
    before = cpu_seconds(one.pid)
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    used = cpu_seconds(one.pid) - before
    if "Non-2xx" in text:
        raise RuntimeError(text)
    rate = re.search(r"Requests/sec:\s+([\d.]+)", text)
    count = re.search(r"(\d+) requests in", text)
    p99 = re.search(r"99%\s+([\d.]+)(us|ms|s)\b", text)
    assert rate
    assert count
    assert p99
    factor = {"us": 0.001, "ms": 1, "s": 1000}[p99[2]]
    return {
        "requests_per_second": float(rate[1]),
        "p99_ms": float(p99[1]) * factor,
        "cpu_us_per_request": used / max(1, int(count[1])) * 1e6,
    }


def script_seconds() -> float:
    """What importing the script and `init()` take by themselves."""
    folder = Path(tempfile.mkdtemp(prefix="bench-"))
    (folder / "score.py").write_text(SCRIPT)
    begin = time.monotonic()
    environ = {**os.environ, "AZUREML_MODEL_DIR": str(MODEL)}
    subprocess.run([sys.executable, "-c", "import score; score.init()"], cwd=folder, env=environ, check=True)
    taken = time.monotonic() - begin
    shutil.rmtree(folder)
    return taken


def measure(names: list[str], rounds: int, seconds: int) -> dict[str, Any]:
    """Medians over the rounds, by server and concurrency."""
    raw: dict[str, dict[int, list[dict[str, float]]]] = {name: {c: [] for c in CONCURRENCY} for name in names}
    about: dict[str, dict[str, float]] = {}
    folder = Path(tempfile.mkdtemp(prefix="bench-"))
    with contextlib.ExitStack() as stack:
        running = {name: stack.enter_context(SERVERS[name]()) for name in names}
        for name, one in running.items():
            load(one, 1, 1, folder)
            about[name] = {"memory_mb": memory_mb(one.pid), "start_seconds": round(one.seconds_to_answer, 2)}
        for number in range(rounds):
            for connections in CONCURRENCY:
                for name, one in running.items():
                    raw[name][connections].append(load(one, connections, seconds, folder))
            print(f"round {number + 1} of {rounds}", file=sys.stderr)
    shutil.rmtree(folder)
    result: dict[str, Any] = {}
    for name in names:
        result[name] = dict(about[name])
        for connections in CONCURRENCY:
            runs = raw[name][connections]
            result[name][f"c{connections}"] = {
                key: round(statistics.median(run[key] for run in runs), 2) for key in runs[0]
            }
    return result


def table(result: dict[str, Any]) -> str:
    """A Markdown table; ratios of requests a second and of CPU to Microsoft's server where it was measured."""
    base = result.get("microsoft")
    lines = [
        "| server | "
        + " | ".join(f"c{c}: req/s (ratio), p99 ms, CPU µs (ratio)" for c in CONCURRENCY)
        + " | MB | start s |"
    ]
    lines.append("|---|" + "---|" * (len(CONCURRENCY) + 2))
    for name, found in result.items():
        cells = [name]
        for c in CONCURRENCY:
            one = found[f"c{c}"]
            rate, cpu = one["requests_per_second"], one["cpu_us_per_request"]
            by = f" ({rate / base[f'c{c}']['requests_per_second']:.2f})" if base else ""
            less = f" ({base[f'c{c}']['cpu_us_per_request'] / cpu:.2f})" if base else ""
            cells.append(f"{rate:.0f}{by}, {one['p99_ms']:.1f}, {cpu:.0f}{less}")
        lines.append("| " + " | ".join([*cells, str(found["memory_mb"]), str(found["start_seconds"])]) + " |")
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=3)
    parser.add_argument(
        "--servers", default=",".join(USUAL).replace(", ", "; "), help="names, comma-separated"
    )
    parser.add_argument("--payloads-only", action="store_true", help="what people send, and idle services")
    parser.add_argument("--idle-seconds", type=float, default=30)
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()
    if not options.payloads_only and shutil.which("wrk") is None:
        print("bench: wrk is not on PATH (apt install wrk)", file=sys.stderr)
        return 2
    before = os.getloadavg()[0]
    result: dict[str, Any] = {
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "cpus": os.cpu_count(),
        "python": sys.version.split()[0],
        "load_before": round(before, 1),
        "rounds": options.rounds,
        "seconds": options.seconds,
    }
    if not options.payloads_only:
        names = [name.replace("; ", ", ") for name in options.servers.split(",")]
        result["script_import_and_init_seconds"] = round(script_seconds(), 2)
        result["servers"] = measure(names, options.rounds, options.seconds)
        print(table(result["servers"]), end="\n\n")
    result["payloads"] = payloads.measure(options.rounds)
    result["idle"] = payloads.idle(options.idle_seconds)
    print(payloads.table(result["payloads"], result["idle"]))
    if options.output:
        options.output.write_text(json.dumps(result, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
