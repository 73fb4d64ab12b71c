"""Hold the scoring server at twice what it can do, and with thousands of clients that do nothing.

    python -m bench.serving_load [--minutes 30] [--parts overload,slowloris,idle,churn] [--output results.json]

`overload` sends twice the measured capacity for so many minutes, each request at its own time whether or not the ones
before are answered (open loop). Every answer is either the right prediction within the deadline
(`max_request_wait_time` + `scoring_timeout_ms`), or a 429 or 503 with `Retry-After`. The other parts take a minute
each: good requests meet the same promises beside 1,000 clients that send a byte a second, beside 10,000 open
connections without a request, and while workers are replaced all the time. What is counted is a share of requests or
of memory, which holds on a busy machine too; milliseconds are given for information.

Parts that were not run keep what the output file says of them, each with its own date.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import datetime
import json
import os
import random
import socket
import statistics
import sys
import time
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import joblib

from bench.serving import MODEL, SCRIPT, family
from tests.serving.replica import Replica, start

ROW = [0.04, 0.05, 0.06, 0.02, -0.04, -0.03, -0.04, 0.0, 0.02, -0.02]
RUN_SECONDS = 0.02
WAIT_MS = 500
TIMEOUT_MS = 1000
DEADLINE = (WAIT_MS + TIMEOUT_MS) / 1000
SLOW = f"""
import time
_init = init
def init():
    _init()
    predict = model.predict
    model.predict = lambda rows: (time.sleep({RUN_SECONDS}), predict(rows))[1]
"""
LIGHT = """
def init(): pass
def run(data): return data
"""
PARTS = ("overload", "slowloris", "idle", "churn")


@dataclass
class Tally:
    """What became of the requests."""

    statuses: Counter[str] = field(default_factory=Counter[str])
    wrong: list[str] = field(default_factory=list[str])
    late: int = 0
    accepted: list[float] = field(default_factory=list[float])
    refused: list[float] = field(default_factory=list[float])
    waited: list[float] = field(default_factory=list[float])
    behind: list[float] = field(default_factory=list[float])

    def summary(self) -> dict[str, Any]:
        return {
            "requests": sum(self.statuses.values()),
            "by_status": dict(sorted(self.statuses.items())),
            "wrong_answers": len(self.wrong),
            "examples_of_wrong": self.wrong[:3],
            "accepted": len(self.accepted),
            "accepted_after_deadline": self.late,
            "accepted_ms_p50_p99_max": milliseconds(self.accepted),
            "refused_at_once": len(self.refused),
            "refused_at_once_ms_p50_p99_max": milliseconds(self.refused),
            "refused_after_waiting": len(self.waited),
            "refused_after_waiting_ms_p50_p99_max": milliseconds(self.waited),
            "generator_behind_ms_p50_p99_max": milliseconds(self.behind),
        }


def milliseconds(values: list[float]) -> list[float]:
    """Median, 99th percentile and maximum."""
    ordered = sorted(values)
    if not ordered:
        return []
    return [round(ordered[min(len(ordered) - 1, int(len(ordered) * q))] * 1000, 1) for q in (0.5, 0.99, 1)]


class Client:
    """Keeps connections open and asks for predictions whose answers it knows."""

    def __init__(self, port: int, tally: Tally, predict: Callable[[list[float]], float] | None) -> None:
        self.port = port
        self.tally = tally
        self._predict = predict
        self._free: deque[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = deque()
        self._random = random.Random(5)

    async def ask(self) -> str:
        """One request; its status, or what went wrong."""
        row = [value + self._random.uniform(-0.01, 0.01) for value in ROW]
        body = json.dumps({"data": [row]}).encode()
        head = (
            "POST /score HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\n\r\n"
        )
        begin = time.monotonic()
        try:
            async with asyncio.timeout(30):
                answer_head, answer = await self._exchange(head.encode() + body)
        except (OSError, asyncio.IncompleteReadError, TimeoutError) as problem:
            self.tally.statuses[type(problem).__name__] += 1
            self.tally.wrong.append(f"no answer: {problem!r}")
            return type(problem).__name__
        self._judge(answer_head, answer, row, time.monotonic() - begin)
        return answer_head[9:12]

    async def _exchange(self, data: bytes) -> tuple[str, bytes]:
        # The one used longest ago, so that none is idle for long; not one that the server has closed meanwhile.
        while self._free:
            reader, writer = self._free.popleft()
            if not reader.at_eof():
                break
            writer.close()
        else:
            reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            writer.write(data)
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            length = int(head.lower().partition("content-length: ")[2].partition("\r\n")[0])
            body = await reader.readexactly(length)
        except BaseException:
            writer.close()
            raise
        if "connection: close" in head.lower():
            writer.close()
        else:
            self._free.append((reader, writer))
        return head, body

    def _judge(self, head: str, body: bytes, row: list[float], seconds: float) -> None:
        tally, status = self.tally, head[9:12]
        tally.statuses[status] += 1
        if status == "200":
            tally.accepted.append(seconds)
            tally.late += seconds > DEADLINE
            answer = json.loads(body)
            if self._predict is None:
                right = answer == json.dumps({"data": [row]})
            else:
                right = len(answer) == 1 and abs(answer[0] - self._predict(row)) < 1e-9
            if not right:
                tally.wrong.append(f"{row} gave {body[:200]!r}")
        elif status in ("429", "503") and "retry-after: " in head.lower():
            (tally.refused if status == "429" else tally.waited).append(seconds)
        else:
            tally.wrong.append(f"{head!r} {body[:200]!r}")

    def close(self) -> None:
        for _, writer in self._free:
            writer.close()


async def capacity(one: Replica, seconds: float) -> float:
    """Predictions a second with four clients that wait for each answer."""
    tally = Tally()
    client = Client(one.port, tally, linear())
    end = time.monotonic() + seconds

    async def loop() -> None:
        while time.monotonic() < end:
            await client.ask()

    await asyncio.gather(*(loop() for _ in range(4)))
    client.close()
    if tally.wrong:
        raise RuntimeError(tally.wrong[0])
    return len(tally.accepted) / seconds


async def open_loop(
    client: Client, rate: float, seconds: float, every: Callable[[float], Awaitable[None]]
) -> None:
    """Poisson arrivals at `rate` a second; `every` is called once a second with the seconds passed."""
    chance = random.Random(7)
    begin = due = time.monotonic()
    tasks: set[asyncio.Task[Any]] = set()
    next_call = begin
    while due < begin + seconds:
        now = time.monotonic()
        if now >= next_call:
            next_call = now + 1
            measuring = asyncio.ensure_future(every(now - begin))
            tasks.add(measuring)
            measuring.add_done_callback(tasks.discard)
        if due > now:
            await asyncio.sleep(due - now)
        client.tally.behind.append(max(0.0, time.monotonic() - due))
        task = asyncio.create_task(client.ask())
        tasks.add(task)
        task.add_done_callback(tasks.discard)
        due += chance.expovariate(rate)
    await asyncio.gather(*tasks)


def linear() -> Callable[[list[float]], float]:
    """The model's prediction for a row, computed here."""
    model = joblib.load(MODEL / "sklearn_regression_model.pkl")
    weights, intercept = [float(w) for w in model.coef_.ravel()], float(model.intercept_)
    return lambda row: sum(w * x for w, x in zip(weights, row, strict=True)) + intercept


@contextlib.contextmanager
def replica(script: str, **config: Any) -> Iterator[Replica]:
    """A replica with one worker."""
    one = start(
        script,
        model_dir=str(MODEL),
        max_request_wait_time=WAIT_MS,
        scoring_timeout_ms=TIMEOUT_MS,
        **config,
    )
    try:
        one.wait_ready(300)
        one.accept()
        yield one
    finally:
        one.clean()


async def nothing(_seconds: float) -> None:
    """No measurement."""


def drift(samples: list[float]) -> float:
    """The last quarter's median over the second quarter's, less one (the first is warming up)."""
    quarter = max(1, len(samples) // 4)
    return statistics.median(samples[-quarter:]) / statistics.median(samples[quarter : 2 * quarter]) - 1


async def overload(minutes: float) -> dict[str, Any]:
    """Twice the capacity."""
    with replica(SCRIPT + SLOW) as one:
        most = await capacity(one, 10)
        tally, memory = Tally(), list[float]()
        client = Client(one.port, tally, linear())
        workers = one.workers

        async def sample(passed: float) -> None:
            if passed >= len(memory) * 10:
                memory.append(private_mb(family(one.process.pid)))
                print(f"{passed:.0f} s, {memory[-1]} MB, {dict(tally.statuses)}", file=sys.stderr)

        await open_loop(client, 2 * most, minutes * 60, sample)
        client.close()
        return {
            "minutes": minutes,
            "run_seconds": RUN_SECONDS,
            "deadline_seconds": DEADLINE,
            "capacity_per_second": round(most, 1),
            "offered_per_second": round(2 * most, 1),
            **tally.summary(),
            "accepted_share_of_capacity": round(len(tally.accepted) / (minutes * 60 * most), 3),
            "memory_mb_first_last": [memory[0], memory[-1]],
            "memory_drift_percent": round(drift(memory) * 100, 2),
            "workers_replaced": one.workers != workers,
        }


async def trickle(port: int, until: float, counts: Counter[str]) -> None:
    """A client that sends a header a byte a second, and comes back when it is thrown out."""
    data = b"POST /score HTTP/1.1\r\nHost: slow\r\nX-Slow: " + b"a" * 10_000
    while time.monotonic() < until:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            counts["refused"] += 1
            await asyncio.sleep(1)
            continue
        counts["connections"] += 1
        with contextlib.suppress(OSError):
            for place in range(len(data)):
                if time.monotonic() > until or writer.is_closing():
                    break
                writer.write(data[place : place + 1])
                await writer.drain()
                await asyncio.sleep(1)
        writer.close()


async def slowloris(count: int = 1000, seconds: float = 60) -> dict[str, Any]:
    """Good requests at half the capacity beside clients that never finish theirs."""
    with replica(SCRIPT + SLOW) as one:
        rate = await capacity(one, 5) / 2
        tally, counts = Tally(), Counter[str]()
        client = Client(one.port, tally, linear())
        until = time.monotonic() + seconds
        slow = [asyncio.create_task(trickle(one.port, until, counts)) for _ in range(count)]
        await open_loop(client, rate, seconds, nothing)
        await asyncio.gather(*slow)
        client.close()
        return {"slow_clients": count, "their_connections": counts["connections"], **tally.summary()}


async def idle(count: int = 10_000, seconds: float = 60) -> dict[str, Any]:
    """Good requests at half the capacity beside connections that never ask anything."""
    with replica(SCRIPT + SLOW, idle_timeout_seconds=600) as one:
        rate = await capacity(one, 5) / 2
        before = private_mb(family(one.process.pid))
        sockets = list[socket.socket]()
        for number in range(count):
            sockets.append(socket.create_connection(("127.0.0.1", one.port), timeout=30))
            if number % 500 == 0:
                await asyncio.sleep(0.05)
        tally, memory, held = Tally(), list[float](), list[int]()
        client = Client(one.port, tally, linear())

        async def sample(_passed: float) -> None:
            memory.append(private_mb(family(one.process.pid)))

        await open_loop(client, rate, seconds, sample)
        text = one.request("/metrics").body.decode()
        line = next(part for part in text.splitlines() if part.startswith("serving_connections"))
        held.append(int(float(line.split()[-1])))
        client.close()
        for sock in sockets:
            sock.close()
        return {
            "idle_connections": held[0],
            "memory_kb_a_connection": round((statistics.median(memory) - before) * 1024 / count, 1),
            **tally.summary(),
        }


async def churn(seconds: float = 60) -> dict[str, Any]:
    """Workers that are replaced after 200 requests each."""
    with replica(LIGHT, max_requests=200, workers=2) as one:
        tally, memory, seen = Tally(), list[float](), set[int]()
        client = Client(one.port, tally, None)

        async def sample(_passed: float) -> None:
            # Asking must not hold up the requests, which are sent and timed by this thread.
            seen.update(await asyncio.to_thread(lambda: one.workers))
            memory.append(private_mb([one.process.pid]))

        await open_loop(client, 200, seconds, sample)
        client.close()
        return {
            "workers_seen": len(seen),
            "supervisor_mb_first_last": [memory[0], memory[-1]],
            "supervisor_drift_percent": round(drift(memory) * 100, 2),
            **tally.summary(),
        }


def private_mb(pids: list[int]) -> float:
    """What these processes alone hold: files that others map too would come and go with those others."""
    kilobytes = 0
    for pid in pids:
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Anonymous:"):
                kilobytes += int(line.split()[1])
    return round(kilobytes / 1024, 2)


def main() -> int:
    """Run the parts and write what was found; 1 when a promise was not kept."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--minutes", type=float, default=30, help="of the overload part (default: 30)")
    parser.add_argument("--parts", default=",".join(PARTS), help="comma-separated (default: all)")
    parser.add_argument("--output", type=Path, help="JSON file")
    options = parser.parse_args()
    wanted = options.parts.split(",")
    if unknown := set(wanted) - set(PARTS):
        parser.error(f"--parts: {', '.join(sorted(unknown))} unknown; choose from {', '.join(PARTS)}")
    output: Path | None = options.output
    kept = True
    parts: dict[str, Callable[[], Any]] = {
        "overload": lambda: overload(options.minutes),
        "slowloris": slowloris,
        "idle": idle,
        "churn": churn,
    }
    for name in wanted:
        found = {
            "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
            "load_before": round(os.getloadavg()[0], 1),
            **asyncio.run(parts[name]()),
        }
        grown = found.get("memory_drift_percent", found.get("supervisor_drift_percent", 0.0))
        kept &= not found["wrong_answers"] and not found["accepted_after_deadline"] and grown < 2
        print(json.dumps({name: found}, indent=2))
        if output:
            result = json.loads(output.read_text()) if output.exists() else {}
            result.update({"cpus": os.cpu_count(), "python": sys.version.split()[0], name: found})
            output.write_text(json.dumps(result, indent=2) + "\n")
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
