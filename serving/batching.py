"""Micro-batching: requests that wait at the same moment are given to the script together.

Only for scripts that opt in, because only their authors know that rows do not depend on each other. Two
ways: a `run_batch(list)` function gets the values of `run()`'s parameter, one a request, and returns a list
as long. Or the script declares `BATCHING = {"row_wise": True}`: then the lists of rows in the requests are
joined for one `run()`, and its list of results is cut up again. Nothing waits for a batch to fill: it is
what arrived while the last one ran.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any, cast

from serving import messages, metrics
from serving.execution import Execution, ScoringTimeout, Slot, http_response, json_answer
from serving.messages import Piece, Request, Response
from serving.script import InputError, Script, ScriptError, Style

DEFAULT_LIMIT = 32


class BatchError(ScriptError):
    """The script's or the configuration's batching settings cannot be used."""


def limit(script: Script, settings: Mapping[str, Any] | None) -> int:
    """How many requests may be joined; 1: no batching. The configuration wins over the script's `BATCHING`.

    Raises:
        BatchError: batching is asked for and the script cannot do it.
    """
    merged = {**script.batching, **(settings or {})}
    if not merged.get("enabled", bool(script.run_batch or merged)):
        return 1
    row_wise = bool(merged.get("row_wise"))
    if script.style is Style.RAW or len(script.parameters) != 1 or script.wants_headers:
        raise BatchError("batching needs a run() with one parameter, without @rawhttp and request_headers")
    if script.run_batch is None and not row_wise:
        raise BatchError(
            'batching needs a run_batch(list) function or BATCHING = {"row_wise": True} in the script'
        )
    if row_wise and script.style is not Style.SCHEMA:
        raise BatchError("row_wise batching needs a run() with @input_schema")
    size = merged.get("max_batch_size", DEFAULT_LIMIT)
    if not isinstance(size, int) or size < 1:
        raise BatchError(f"max_batch_size: {size!r} is not allowed; give a whole number above 0")
    return size


def work_batch(execution: Execution, slot: Slot, requests: list[Request]) -> list[Response | Piece]:
    """Answers to requests from one call. What cannot be joined, and all after an error, runs singly."""
    joined: list[tuple[Request, Any]] = []
    answers: dict[int, Response | Piece] = {}
    name = execution.script.parameters[0].name
    for index, request in enumerate(requests):
        if request.method not in ("GET", "HEAD", "POST"):
            continue
        try:
            joined.append((request, execution.script.arguments(request)[name]))
        except InputError as problem:
            answers[index] = messages.error(problem.status, str(problem))
    results = _run_joined(execution, slot, joined) if len(joined) > 1 else None
    if results is not None:
        execution.counters.batch(len(joined))
        for (request, _), result in zip(joined, results, strict=True):
            answers[requests.index(request)] = result
    for index, request in enumerate(requests):
        if index not in answers:
            answers[index] = execution.work(slot, [request])[0]
    return [answers[index] for index in range(len(requests))]


def _run_joined(
    execution: Execution, slot: Slot, joined: list[tuple[Request, Any]]
) -> list[Response | Piece] | None:
    """The answers, or None when the values cannot go together."""
    values = [value for _, value in joined]
    script = execution.script
    sizes: list[int] | None = None
    arguments: dict[str, Any]
    if script.run_batch is not None:
        function, arguments = script.run_batch, {script.batch_parameter: values}
    else:
        if not all(isinstance(value, list) and bool(cast("list[Any]", value)) for value in values):
            return None
        rows = cast("list[list[Any]]", values)
        sizes = [len(value) for value in rows]
        # inference-schema converts lists in place: give it one that nobody needs afterwards.
        function, arguments = (
            script.run,
            {script.parameters[0].name: [_copy(row) for v in rows for row in v]},
        )
    start = time.perf_counter()
    row = execution.counters.row
    try:
        result = execution.guarded(slot, function, arguments)
        parts = _parts(result, sizes, len(values))
        taken = (time.perf_counter() - start) * 1000
        row[metrics.RUNS] += 1
        row[metrics.RUN_SECONDS] += taken / 1000
        if parts is None:
            return None
        answers = [
            _answer(execution, request, part) for (request, _), part in zip(joined, parts, strict=True)
        ]
        for answer in answers:
            answer.head += f"x-ms-run-fn-exec-ms: {taken:.3f}\r\n"
        return None if any(answer.stream for answer in answers) else [*answers]
    except ScoringTimeout:
        return [execution.timed_out(slot, request) for request, _ in joined]
    except BaseException as problem:
        # One request may have spoilt it for all: each gets its own run() and its own error.
        execution.log.warning(f"a batch of {len(values)} failed and is run singly: {type(problem).__name__}")
        return None


def _copy(row: Any) -> Any:
    return list(cast("list[Any]", row)) if isinstance(row, list) else row


def _parts(result: object, sizes: list[int] | None, count: int) -> list[Any] | None:
    if not isinstance(result, list):
        return None
    items = cast("list[Any]", result)
    if sizes is None:
        return items if len(items) == count else None
    if len(items) != sum(sizes):
        return None
    parts: list[Any] = []
    start = 0
    for size in sizes:
        parts.append(items[start : start + size])
        start += size
    return parts


def _answer(execution: Execution, request: Request, part: Any) -> Response:
    if isinstance(part, BaseException):
        return execution.script_failed(part)
    return http_response(part, request) or json_answer(part, execution.script.frame_orient)
