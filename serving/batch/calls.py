"""One mini batch through the entry script, in the way the script is written for."""

from __future__ import annotations

import inspect
import json
import mimetypes
import time
import traceback
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from serving.batch.plan import LINES
from serving.execution import render
from serving.messages import Request
from serving.script import Script, Style


class ScoreError(Exception):
    """The script did not answer an input; the message says what it did."""


@dataclass
class Result:
    """What a mini batch gave."""

    parts: list[tuple[int, str]] = field(default_factory=list[tuple[int, str]])
    """Lines, with the position of the file they are from (-1: of the whole mini batch)."""
    rows: int = 0
    failed: int = 0
    errors: list[dict[str, str]] = field(default_factory=list[dict[str, str]])

    def fail(self, count: int, item: str, error: str) -> None:
        """Note what failed."""
        self.failed += count
        self.errors.append({"item": item, "error": error})


def style_of(script: Script) -> str:
    """How a script wants to be called, when nobody says it."""
    parameter = script.parameters[0]
    if script.style is not Style.TEXT or parameter.name != "mini_batch":
        return "online"
    shown = parameter.annotation if isinstance(parameter.annotation, str) else repr(parameter.annotation)
    tabular = parameter.annotation is not inspect.Parameter.empty and "DataFrame" in shown
    return "tabular" if tabular else "mini_batch"


def score(script: Script, name: str, body: bytes, content_type: str = "") -> Any:
    """One input as if it had been posted to `/score`; the answer, JSON decoded where it is JSON.

    Raises:
        ScoreError: the script answered with an error status.
        Exception: whatever the script raises, or the input is not what it takes.
    """
    kind = content_type or mimetypes.guess_type(name)[0] or "application/octet-stream"
    request = Request(None, "POST", b"/score", {b"content-type": kind.encode()})
    request.body = body
    start = time.perf_counter()
    result = script.run(**script.arguments(request))
    response = render(result, (time.perf_counter() - start) * 1000)
    if response.status >= 400:
        raise ScoreError(f"the script answered with status {response.status}: {response.body[:200]!r}")
    try:
        return json.loads(response.body)
    except ValueError:
        return response.body.decode("utf-8", "replace")


class Caller:
    """Calls a script with mini batches."""

    def __init__(self, script: Script, style: str, root: str, files: list[str], *, per_file: bool) -> None:
        self._script = script
        self._style = style
        self._root = Path(root)
        self._files = files
        self._per_file = per_file
        self._table: tuple[str, Any] = ("", None)

    def rows_in(self, name: str) -> int:
        """How many rows a table has.

        Raises:
            Exception: it cannot be read.
        """
        return len(self._load(name))

    def whole(self, position: int) -> list[str]:
        """The rows that a script gives for a whole table, without line breaks.

        Raises:
            Exception: the table cannot be read, or the script fails.
        """
        table = self._load(self._files[position])
        return [row[:-1] for row in row_texts(self._script.run(**{self._script.parameters[0].name: table}))]

    def call(self, batch: dict[str, Any]) -> Result:
        """Score a mini batch.

        Raises:
            Exception: it failed as a whole.
        """
        if self._style == "online":
            return self._online(batch)
        positions = cast("list[int]", batch["files"])
        parameter = self._script.parameters[0].name
        if self._style == "tabular":
            table = self._load(self._files[positions[0]])
            given: Any = table.iloc[batch["start"] : batch["stop"]].reset_index(drop=True)
        else:
            given = [str(self._root / self._files[position]) for position in positions]
        rows = row_texts(self._script.run(**{parameter: given}))
        result = Result(rows=len(rows))
        missing = int(batch["items"]) - len(rows)
        if self._per_file and self._style == "mini_batch":
            if missing:
                raise ScoreError(
                    f"run() returned {len(rows)} rows for {batch['items']} files; per_file needs one for each"
                )
            result.parts = [*zip(positions, rows)]  # noqa: B905 (Python 3.10 has strict=, but the lengths are known)
            return result
        if missing > 0:
            shown = ", ".join(self._files[position] for position in positions)
            result.fail(missing, shown, f"run() returned {len(rows)} rows for {batch['items']} items")
        result.parts = [(positions[0] if self._style == "tabular" else -1, "".join(rows))]
        return result

    def _online(self, batch: dict[str, Any]) -> Result:
        result = Result()
        for position, label, body, kind in self._bodies(batch):
            shown = ":".join(str(value) for value in label.values())
            try:
                answer = score(self._script, self._files[position], body, kind)
                text = json.dumps({**label, "output": answer}) + "\n"
            except Exception as problem:
                traceback.print_exc()
                result.fail(1, shown, _describe(problem))
                continue
            result.rows += 1
            result.parts.append((position, text))
        return result

    def _bodies(self, batch: dict[str, Any]) -> Iterable[tuple[int, dict[str, Any], bytes, str]]:
        for position in cast("list[int]", batch["files"]):
            name = self._files[position]
            path = self._root / name
            if not batch["stop"]:
                yield position, {"file": name}, path.read_bytes(), ""
                continue
            with path.open("rb") as stream:
                stream.seek(batch["start"])
                piece = stream.read(batch["stop"] - batch["start"])
            for number, line in enumerate(piece.split(b"\n"), start=batch["first"] + 1):
                if line.strip():
                    yield position, {"file": name, "line": number}, line, "application/json"

    def _load(self, name: str) -> Any:
        """A table; the last one is kept, because its mini batches come one after the other."""
        if self._table[0] != name:
            import pandas  # pyright: ignore[reportMissingTypeStubs]

            reader = cast("Any", pandas)
            path, suffix = self._root / name, Path(name).suffix.lower()
            if suffix == ".parquet":
                table = reader.read_parquet(path)
            elif suffix in LINES:
                table = reader.read_json(path, lines=True)
            else:
                table = reader.read_csv(path, sep="\t" if suffix == ".tsv" else ",")
            self._table = (name, table)
        return self._table[1]


def row_texts(result: object) -> list[str]:
    """What `run(mini_batch)` returned as lines: a list, tuple or array of rows, or a DataFrame.

    Raises:
        TypeError, ValueError: it is nothing of that, or a row is no JSON.
    """
    if hasattr(result, "to_csv") and hasattr(result, "itertuples"):
        import csv
        import io

        texts: list[str] = []
        for row in cast("Any", result).itertuples(index=False, name=None):
            buffer = io.StringIO()
            csv.writer(buffer, lineterminator="\n").writerow(row)
            texts.append(buffer.getvalue())
        return texts
    if hasattr(result, "tolist"):
        result = cast("Any", result).tolist()
    if not isinstance(result, (list, tuple)):
        raise TypeError(
            f"run() returned {type(result).__name__}; a list or a DataFrame is needed, with a row for each item"
        )
    return [_line(row) for row in cast("list[object]", result)]


def _line(row: object) -> str:
    if isinstance(row, str):
        # One row stays one CSV record.
        return ('"' + row.replace('"', '""') + '"' if "\n" in row or "\r" in row else row) + "\n"
    return json.dumps(row, default=_plain) + "\n"


def _plain(value: Any) -> Any:
    if hasattr(value, "tolist"):
        return value.tolist()
    raise TypeError(f"a row holds {type(value).__name__}, which is no JSON")


def _describe(problem: BaseException) -> str:
    return f"{type(problem).__name__}: {problem}"[:500]
