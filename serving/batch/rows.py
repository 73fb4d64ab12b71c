"""What `run()` returned for a mini batch, as lines of the output file."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, cast


@dataclass(frozen=True)
class Rows:
    """Lines, each with its line break, and the names of their columns where they have names."""

    texts: list[str]
    columns: list[str] | None = None


def csv_line(values: Iterable[object]) -> str:
    """One CSV record (RFC 4180), with a line break."""
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\n").writerow(values)
    return buffer.getvalue()


def rows_of(result: object, *, named: bool = False, first: list[str] | None = None) -> Rows:
    """What `run(mini_batch)` returned as lines: a list, tuple or array of rows, or a DataFrame.

    Args:
        result: What it returned.
        named: Whether rows that are mappings become CSV records with named columns; otherwise they are JSON.
        first: A field for each row that goes before its others.

    Raises:
        TypeError, ValueError: it is nothing of that, a row is no JSON, or rows have other columns than the first.
    """
    columns: list[str] | None = None
    if hasattr(result, "to_csv") and hasattr(result, "notna"):
        frame = cast("Any", result)
        if frame.ndim == 1:
            frame = frame.to_frame()
        else:
            columns = [str(name) for name in frame.columns]
        # A missing value is an empty field, as pandas itself writes it.
        whole = frame.astype(object).where(frame.notna(), "")
        texts = [csv_line(row) for row in whole.itertuples(index=False, name=None)]
        return Rows(_prefixed(texts, first), columns)
    if hasattr(result, "tolist"):
        result = cast("Any", result).tolist()
    if not isinstance(result, (list, tuple)):
        raise TypeError(
            f"run() returned {type(result).__name__}; a list or a DataFrame is needed, with a row for each item"
        )
    found = cast("list[object]", result)
    if named and found and all(isinstance(row, Mapping) for row in found):
        mappings = cast("list[Mapping[str, object]]", found)
        columns = [str(name) for name in mappings[0]]
        other = next((list(row) for row in mappings if [str(name) for name in row] != columns), None)
        if other is not None:
            raise ValueError(f"run() returned rows with the columns {columns} and {other}")
        return Rows(_prefixed([csv_line(map(_field, row.values())) for row in mappings], first), columns)
    return Rows(_prefixed([_line(row) for row in found], first))


def _prefixed(texts: list[str], first: list[str] | None) -> list[str]:
    if first is None:
        return texts
    return [csv_line([name])[:-1] + "," + text for name, text in zip(first, texts)]  # noqa: B905 (as many)


def _field(value: object) -> object:
    if value is None or isinstance(value, (str, int, float)):
        return value
    return json.dumps(value, default=_plain)


def _line(row: object) -> str:
    if isinstance(row, str):
        # The script's own record stays as it is, and stays one record.
        return ('"' + row.replace('"', '""') + '"' if "\n" in row or "\r" in row else row) + "\n"
    return json.dumps(row, default=_plain) + "\n"


def _plain(value: Any) -> Any:
    if hasattr(value, "tolist"):
        return value.tolist()
    raise TypeError(f"a row holds {type(value).__name__}, which is no JSON")
