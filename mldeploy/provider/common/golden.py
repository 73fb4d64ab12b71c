"""Comparing an answer with the expected one."""

from __future__ import annotations

import json
import math
from typing import Any, cast

SERVER_SENT_EVENTS = "text/event-stream"
GOLDEN_HEADER = "X-Mldeploy-Golden"
"""What golden requests are sent with, so that collected data tells them from those of clients."""
_LINES = ("application/x-ndjson", "application/jsonl", "application/json-lines", "text/")
_SHOWN = 200


def mismatch(expected: bytes, actual: bytes, tolerance: float) -> str | None:
    """Where two bodies differ; None when they are equal.

    JSON is compared by its values: numbers within ``tolerance`` (absolute or relative, whichever allows
    more), NaN equal to NaN, everything else exactly. What is no JSON has to be the same bytes.
    """
    try:
        wanted: Any = json.loads(expected)
    except ValueError:
        if expected == actual:
            return None
        return f"expected {len(expected)} bytes {_bytes(expected)}, got {len(actual)} bytes {_bytes(actual)}"
    try:
        got: Any = json.loads(actual)
    except ValueError:
        return f"expected JSON, got {_bytes(actual)}"
    return _compare(wanted, got, tolerance, "$")


def pieces_of(content_type: str, body: bytes) -> list[bytes] | None:
    """The pieces of an answer: the data of its server-sent events, or its lines. None: it is not made of pieces."""
    kind = content_type.partition(";")[0].strip().lower()
    if kind == SERVER_SENT_EVENTS:
        events = body.replace(b"\r\n", b"\n").split(b"\n\n")
        return [data for event in events if (data := _data(event)) is not None]
    return body.splitlines() if kind.startswith(_LINES) else None


def _data(event: bytes) -> bytes | None:
    lines = [line[5:].removeprefix(b" ") for line in event.split(b"\n") if line.startswith(b"data:")]
    return b"\n".join(lines) if lines else None


def pieces_mismatch(expected: bytes, got: list[bytes], tolerance: float) -> str | None:
    """Where pieces differ from those expected, which are one a line; None when they are equal."""
    wanted = expected.splitlines()
    for number, (one, other) in enumerate(zip(wanted, got, strict=False), start=1):
        if found := mismatch(one, other, tolerance):
            return f"piece {number}: {found}"
    if len(wanted) != len(got):
        return f"expected {len(wanted)} pieces, got {len(got)}"
    return None


def _compare(wanted: Any, got: Any, tolerance: float, path: str) -> str | None:
    if isinstance(wanted, dict) and isinstance(got, dict):
        left, right = cast("dict[str, Any]", wanted), cast("dict[str, Any]", got)
        if missing := left.keys() - right.keys():
            return f"at {path}: no {', '.join(sorted(missing))}"
        if extra := right.keys() - left.keys():
            return f"at {path}: unexpected {', '.join(sorted(extra))}"
        pairs = [(left[key], right[key], f"{path}.{key}") for key in left]
    elif isinstance(wanted, list) and isinstance(got, list):
        first, second = cast("list[Any]", wanted), cast("list[Any]", got)
        if len(first) != len(second):
            return f"at {path}: expected {len(first)} items, got {len(second)}"
        pairs = [(a, b, f"{path}[{index}]") for index, (a, b) in enumerate(zip(first, second, strict=True))]
    else:
        return (
            None
            if _same(wanted, got, tolerance)
            else f"at {path}: expected {_json(wanted)}, got {_json(got)}"
        )
    return next((found for a, b, where in pairs if (found := _compare(a, b, tolerance, where))), None)


def _same(wanted: Any, got: Any, tolerance: float) -> bool:
    if _number(wanted) and _number(got):
        if math.isnan(wanted) or math.isnan(got):
            return math.isnan(wanted) and math.isnan(got)
        return math.isclose(wanted, got, rel_tol=tolerance, abs_tol=tolerance)
    return type(wanted) is type(got) and wanted == got


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _json(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "…"


def _bytes(value: bytes) -> str:
    text = repr(value[:_SHOWN])
    return text if len(value) <= _SHOWN else text + "…"
