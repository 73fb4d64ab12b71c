"""One mini batch through the entry script, in the way the script is written for."""

from __future__ import annotations

import json
import mimetypes
import traceback
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from serving.batch.plan import MiniBatch
from serving.batch.rows import rows_of
from serving.batch.tables import Reader, part
from serving.execution import http_response, json_answer
from serving.messages import Request
from serving.script import Script
from serving.streaming import JSON_LINES


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
    columns: list[str] | None = None
    """The names of the rows' columns, where they have names."""

    def fail(self, count: int, item: str, error: str) -> None:
        """Note what failed."""
        self.failed += count
        self.errors.append({"item": item, "error": error})


def score(script: Script, name: str, body: bytes, content_type: str = "") -> Any:
    """One input as if it had been posted to `/score`; the answer, JSON decoded where it is JSON.

    Raises:
        ScoreError: the script answered with an error status.
        Exception: whatever the script raises, or the input is not what it takes.
    """
    kind = content_type or mimetypes.guess_type(name)[0] or "application/octet-stream"
    request = Request(None, "POST", b"/score", {b"content-type": kind.encode()})
    request.body = body
    result = script.run(**script.arguments(request))
    response = http_response(result, request) or json_answer(result, script.frame_orient)
    body = response.body if response.stream is None else response.stream.whole()
    if response.status >= 400:
        raise ScoreError(f"the script answered with status {response.status}: {body[:200]!r}")
    if ("Content-Type", JSON_LINES) in response.headers:
        return [json.loads(line) for line in body.splitlines()]
    try:
        return json.loads(body)
    except ValueError:
        return body.decode("utf-8", "replace")


class Caller:
    """Calls a script with mini batches."""

    def __init__(
        self,
        script: Script,
        style: str,
        root: str,
        files: list[str],
        *,
        per_file: bool = False,
        header: bool = False,
        file_column: str = "",
    ) -> None:
        self._script = script
        self._style = style
        self._root = Path(root)
        self._files = files
        self._per_file = per_file
        self._header = header
        self._file_column = file_column
        self._reader = Reader()

    def call(self, batch: MiniBatch, running: Callable[[], None]) -> Result:
        """Score a mini batch.

        Args:
            batch: Which.
            running: Called when its input is read, right before the script's `run()`.

        Raises:
            Exception: it failed as a whole.
        """
        if self._style == "online":
            running()
            return self._online(batch)
        result, items = Result(), batch.items
        if batch.piece is not None:
            position = batch.files[0]
            name = self._files[position]
            given: Any = self._reader.read(
                self._root / name, batch.piece, lambda row, error: result.fail(1, f"{name}:{row}", error)
            )
            items = len(given)
            if not items:
                return result
            owners = [position] * items
        else:
            owners = list(batch.files)
            given = [str(self._root / self._files[position]) for position in owners]
        running()
        returned = self._script.run(**{self._script.parameters[0].name: given})
        self._take(result, returned, owners)
        return result

    def _take(self, result: Result, returned: object, owners: list[int]) -> None:
        """What the script returned for `owners`, the position of each item's file."""
        names = [self._files[position] for position in owners] if self._file_column else None
        rows = rows_of(returned, named=self._header, first=names)
        texts, missing = rows.texts, len(owners) - len(rows.texts)
        result.rows = len(texts)
        result.columns = rows.columns
        if rows.columns and self._file_column:
            result.columns = [self._file_column, *rows.columns]
        one_file = len(set(owners)) == 1
        if missing and not one_file and (self._per_file or names):
            wanted = "per_file" if self._per_file else "file_column"
            raise ScoreError(
                f"run() returned {len(texts)} rows for {len(owners)} files; {wanted} needs one for each"
            )
        if missing > 0:
            shown = ", ".join(dict.fromkeys(self._files[position] for position in owners))
            result.fail(missing, shown, f"run() returned {len(texts)} rows for {len(owners)} items")
        if self._per_file and not one_file:
            result.parts = [*zip(owners, texts)]  # noqa: B905 (Python 3.10 has strict=, but the lengths are known)
        elif texts:
            result.parts = [(owners[0] if one_file else -1, "".join(texts))]

    def _online(self, batch: MiniBatch) -> Result:
        result = Result()
        for position, label, body, kind in self._bodies(batch):
            shown = ":".join(str(value) for value in label.values())
            try:
                answer = score(self._script, self._files[position], body, kind)
                text = rows_of([{**label, "output": answer}], named=self._header)
            except Exception as problem:
                traceback.print_exc()
                result.fail(1, shown, _describe(problem))
                continue
            result.rows += 1
            result.columns = text.columns
            result.parts.append((position, text.texts[0]))
        return result

    def _bodies(self, batch: MiniBatch) -> Iterable[tuple[int, dict[str, Any], bytes, str]]:
        for position in batch.files:
            name = self._files[position]
            path = self._root / name
            if batch.piece is None:
                yield position, {"file": name}, path.read_bytes(), ""
                continue
            with path.open("rb") as stream:
                lines = part(stream, batch.piece).split(b"\n")
            for number, line in enumerate(lines, start=batch.piece.first + 1):
                if line.strip():
                    yield position, {"file": name, "line": number}, line, "application/json"


def _describe(problem: BaseException) -> str:
    return f"{type(problem).__name__}: {problem}"[:500]
