"""Counters in memory that all workers of a replica share, and their Prometheus text."""

from __future__ import annotations

import bisect
import mmap
from collections.abc import Iterable, Mapping

BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
STATUSES = (
    200,
    201,
    202,
    204,
    302,
    400,
    401,
    403,
    404,
    405,
    408,
    413,
    415,
    422,
    429,
    431,
    500,
    501,
    502,
    503,
    504,
)
BATCH_BUCKETS = (1, 2, 4, 8, 16, 32, 64, 128)

HEARTBEAT = 0
IN_FLIGHT = 1
QUEUED = 2
CONNECTIONS = 3
RUNS = 4
RUN_SECONDS = 5
RUN_FAILED = 6
TIMEOUTS = 7
BATON_TAKEN = 8
LOG_DROPPED = 9
LATENCY_SUM = 10
BATCHES = 11
BATCH_SUM = 12
COLLECTED = 13
COLLECT_DROPPED = 14
STREAMS = 15
_LATENCY = 16
_BATCH = _LATENCY + len(BUCKETS) + 1
_STATUS = _BATCH + len(BATCH_BUCKETS) + 1
WIDTH = 96
_GAUGES = (HEARTBEAT, IN_FLIGHT, QUEUED, CONNECTIONS, STREAMS)
assert _STATUS + len(STATUSES) + 1 <= WIDTH


class Board:
    """The shared memory: one row of numbers a worker. Make it before forking."""

    def __init__(self, rows: int) -> None:
        # One row more than workers: the collector's.
        self._memory = mmap.mmap(-1, (rows + 1) * WIDTH * 8)
        self.view = memoryview(self._memory).cast("d")
        self.rows = rows

    def row(self, index: int) -> memoryview[float]:
        """The numbers of one worker."""
        return self.view[index * WIDTH : (index + 1) * WIDTH]

    def extra_row(self) -> memoryview[float]:
        """The numbers of the collector."""
        return self.row(self.rows)

    def total(self, field: int) -> float:
        """A number summed over the workers."""
        return sum(self.view[row * WIDTH + field] for row in range(self.rows + 1))

    def clear_gauges(self, index: int) -> None:
        """Forget what a worker that is gone was doing; what it did stays counted."""
        for field in _GAUGES:
            self.view[index * WIDTH + field] = 0.0


class Counters:
    """One worker's row."""

    def __init__(self, board: Board, index: int) -> None:
        self.board = board
        self.row = board.row(index)

    def finished(self, status: int, seconds: float) -> None:
        """A scoring request was answered."""
        row = self.row
        row[_LATENCY + bisect.bisect_left(BUCKETS, seconds)] += 1
        row[LATENCY_SUM] += seconds
        row[_STATUS + (STATUSES.index(status) if status in STATUSES else len(STATUSES))] += 1

    def batch(self, size: int) -> None:
        """So many requests were given to the script at once."""
        self.row[_BATCH + bisect.bisect_left(BATCH_BUCKETS, size)] += 1
        self.row[BATCHES] += 1
        self.row[BATCH_SUM] += size


def _histogram(
    board: Board, name: str, text: str, *, first: int, bounds: Iterable[float], total: int
) -> list[str]:
    lines = [f"# HELP {name} {text}", f"# TYPE {name} histogram"]
    seen = 0.0
    bounds = tuple(bounds)
    for offset, bound in enumerate(bounds):
        seen += board.total(first + offset)
        lines.append(f'{name}_bucket{{le="{bound}"}} {seen:.0f}')
    seen += board.total(first + len(bounds))
    return [
        *lines,
        f'{name}_bucket{{le="+Inf"}} {seen:.0f}',
        f"{name}_count {seen:.0f}",
        f"{name}_sum {board.total(total)}",
    ]


def _label(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


_SIMPLE = (
    (
        "serving_requests_in_flight",
        "gauge",
        "Scoring requests being received, waiting or running.",
        IN_FLIGHT,
    ),
    ("serving_queue", "gauge", "Scoring requests that wait for their turn.", QUEUED),
    ("serving_connections", "gauge", "Open connections.", CONNECTIONS),
    ("serving_streams", "gauge", "Answers being sent in pieces.", STREAMS),
    ("serving_runs_total", "counter", "Calls of run().", RUNS),
    ("serving_run_seconds_total", "counter", "Time spent in run().", RUN_SECONDS),
    ("serving_run_failures_total", "counter", "Calls of run() that raised.", RUN_FAILED),
    (
        "serving_run_timeouts_total",
        "counter",
        "Calls of run() that took longer than scoring_timeout_ms.",
        TIMEOUTS,
    ),
    (
        "serving_log_lines_dropped_total",
        "counter",
        "Log lines dropped because the log was too slow.",
        LOG_DROPPED,
    ),
    ("serving_collected_records_total", "counter", "Records of inputs and outputs written.", COLLECTED),
    (
        "serving_collected_records_dropped_total",
        "counter",
        "Records of inputs and outputs lost because their destination was too slow or failed.",
        COLLECT_DROPPED,
    ),
)


def render(board: Board, service: str, models: Mapping[str, str]) -> bytes:
    """Prometheus' text format 0.0.4; metrics that the script registered with prometheus_client come along."""
    lines: list[str] = []
    for name, kind, text, field in _SIMPLE:
        lines += [f"# HELP {name} {text}", f"# TYPE {name} {kind}", f"{name} {board.total(field):g}"]
    lines += [
        "# HELP serving_requests_total Answered scoring requests.",
        "# TYPE serving_requests_total counter",
    ]
    for offset, status in enumerate((*STATUSES, 0)):
        count = board.total(_STATUS + offset)
        if count:
            lines.append(f'serving_requests_total{{code="{status or "other"}"}} {count:.0f}')
    lines += _histogram(
        board,
        "serving_request_seconds",
        "Latency of scoring requests.",
        first=_LATENCY,
        bounds=BUCKETS,
        total=LATENCY_SUM,
    )
    lines += _histogram(
        board,
        "serving_batch_size",
        "Requests in a micro-batch.",
        first=_BATCH,
        bounds=BATCH_BUCKETS,
        total=BATCH_SUM,
    )
    lines += ["# HELP serving_model_info The models served.", "# TYPE serving_model_info gauge"]
    for name, version in models.items():
        labels = f'service="{_label(service)}",model="{_label(name)}",version="{_label(version)}"'
        lines.append(f"serving_model_info{{{labels}}} 1")
    return "\n".join(lines).encode() + b"\n" + _script_metrics()


def _script_metrics() -> bytes:
    import sys

    if "prometheus_client" not in sys.modules:
        return b""
    from prometheus_client import generate_latest

    return generate_latest()
