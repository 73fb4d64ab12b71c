"""A service's log as people read it: time, level, message, and tracebacks as Python prints them."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any, cast

_SHOWN = ("method", "path", "status")
# What tells lines of many processes and services apart: `--json` has it.
_QUIET = {
    "time", "level", "message", "traceback", "ms", "run_ms", "bytes", "client", "request_id", "client_request_id",
    "trace_id", "pid", "worker", "service", "replica", "replica_id", "stream", *_SHOWN,
}  # fmt: skip


def readable(line: str) -> list[str]:
    """A line of the log, as one or, with a traceback, as several; what is no record of the server stays as it is."""
    record = _record(line)
    if record is None:
        return [line]
    words = [_time(str(record.get("time") or "")), f"{str(record.get('level') or 'info').upper():<7}"]
    words += [str(record["message"]), *(str(record[key]) for key in _SHOWN if record.get(key) is not None)]
    words += [f"{float(record['ms']):.1f} ms"] if isinstance(record.get("ms"), int | float) else []
    words += [f"{key}={_plain(value)}" for key, value in record.items() if key not in _QUIET]
    trace = str(record.get("traceback") or "").rstrip().splitlines()
    return [" ".join(word for word in words if word).rstrip(), *(f"    {one}" for one in trace)]


def last_traceback(lines: Iterable[str]) -> list[str]:
    """The newest traceback of a log; nothing when there is none."""
    found: list[str] = []
    for line in lines:
        record = _record(line)
        if record is not None and record.get("traceback"):
            found = str(record["traceback"]).rstrip().splitlines()
    return found


def as_object(line: str) -> str:
    """The line as one JSON object: the server's own as it is, what else is in a log as the message of one."""
    try:
        found: object = json.loads(line)
    except ValueError:
        found = None
    return line if isinstance(found, dict) else json.dumps({"message": line}, ensure_ascii=False)


def _record(line: str) -> dict[str, Any] | None:
    try:
        record: Any = json.loads(line)
    except ValueError:
        return None
    return cast("dict[str, Any]", record) if isinstance(record, dict) and "message" in record else None


def _time(stamp: str) -> str:
    """`2026-01-31T12:00:00.123Z` without the date's separator: what one compares by eye."""
    return stamp.replace("T", " ", 1).removesuffix("Z")


def _plain(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
