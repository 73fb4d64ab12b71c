"""Tables in pieces: CSV and JSON lines by byte ranges, Parquet by row groups. No table is ever read whole.

A piece is found by looking at its bytes once, without a parser: a CSV record ends at a line break outside quotes, and
quotes double inside quoted fields (RFC 4180), so that an even number of them before a line break tells.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, cast

LINES = (".jsonl", ".ndjson")
PARQUET = (".parquet",)
TABULAR = (".csv", ".tsv", *PARQUET, *LINES)
MIB = 1 << 20
_BLANK = (b"\n", b"\r", b" ")


@dataclass(frozen=True)
class Amount:
    """How much goes into one mini batch: a number of items, or of bytes."""

    count: int
    bytes: bool = False

    def __str__(self) -> str:
        return f"{self.count} bytes" if self.bytes else str(self.count)


@dataclass(frozen=True)
class Piece:
    """Consecutive rows of one file: from `start` up to `stop`, in bytes, or in rows of Parquet row group `group`."""

    start: int
    stop: int
    items: int
    """Rows or lines that are not blank."""
    first: int
    """The first row or line, counted from 0."""
    group: int = -1


def pieces(path: Path, amount: Amount) -> Iterator[Piece]:
    """The pieces of a table, or of a file of JSON lines.

    Raises:
        OSError: the file cannot be read.
        ValueError: it is no Parquet file.
    """
    suffix = path.suffix.lower()
    if suffix in PARQUET:
        yield from _row_groups(path, amount)
        return
    quoted = suffix not in LINES
    with path.open("rb") as stream:
        if quoted:
            _record(stream)  # the header is no row
        yield from (_by_bytes if amount.bytes else _by_items)(stream, amount.count, quoted)


def _by_bytes(stream: IO[bytes], size: int, quoted: bool) -> Iterator[Piece]:
    first, start = 0, stream.tell()
    while block := stream.read(size):
        odd = quoted and block.count(b'"') % 2
        if odd or not block.endswith(b"\n"):
            block += _record(stream, odd=bool(odd), quoted=quoted)
        stop = start + len(block)
        items, numbers = _count(block, quoted), 0 if quoted else block.count(b"\n")
        if items:
            yield Piece(start, stop, items, first)
        first += items if quoted else numbers
        start = stop


def _by_items(stream: IO[bytes], count: int, quoted: bool) -> Iterator[Piece]:
    start = stream.tell()
    first = items = number = 0
    begin = start
    while record := _record(stream, quoted=quoted):
        blank = not record.strip(b" \r\n") if quoted else not record.strip()
        if not items:
            begin, first = start, number
        start += len(record)
        number += not (quoted and blank)
        items += not blank
        if items == count:
            yield Piece(begin, start, items, first)
            items = 0
    if items:
        yield Piece(begin, start, items, first)


def _record(stream: IO[bytes], *, odd: bool = False, quoted: bool = True) -> bytes:
    """The rest of a record: up to the first line break outside quotes, or the end of the file."""
    found: list[bytes] = []
    while line := stream.readline():
        found.append(line)
        odd ^= quoted and bool(line.count(b'"') % 2)
        if not odd:
            break
    return b"".join(found)


def _count(block: bytes, quoted: bool) -> int:
    """Records of a block that are not blank."""
    if not quoted:
        return sum(1 for line in block.split(b"\n") if line.strip())
    if b'"' not in block:
        # Blank lines are no rows; nearly no table has any.
        if not block.startswith(_BLANK) and not any(b"\n" + blank in block for blank in _BLANK):
            return block.count(b"\n") + (not block.endswith(b"\n"))
        return sum(1 for line in block.split(b"\n") if line.strip(b" \r"))
    stream = io.BytesIO(block)
    return sum(1 for record in iter(lambda: _record(stream), b"") if record.strip(b" \r\n"))


def _row_groups(path: Path, amount: Amount) -> Iterator[Piece]:
    metadata = _parquet(path).metadata
    first = 0
    for group in range(metadata.num_row_groups):
        rows, size = metadata.row_group(group).num_rows, metadata.row_group(group).total_byte_size
        step = max(1, rows * amount.count // max(1, size)) if amount.bytes else amount.count
        for start in range(0, rows, step):
            stop = min(start + step, rows)
            yield Piece(start, stop, stop - start, first + start, group)
        first += rows


def _parquet(path: Path) -> Any:
    try:
        import pyarrow.parquet  # pyright: ignore[reportMissingTypeStubs]
    except ImportError:
        raise ValueError("reading Parquet needs the package pyarrow in the conda file") from None
    return cast("Any", pyarrow.parquet).ParquetFile(path)


class Reader:
    """Reads pieces as DataFrames. Holds one row group, or one header, whatever the size of the file."""

    def __init__(self) -> None:
        self._header: tuple[Path, bytes] = (Path(), b"")
        self._group: tuple[Path, int, Any] = (Path(), -1, None)

    def read(self, path: Path, piece: Piece, fail: Callable[[int, str], None]) -> Any:
        """The rows of a piece; a row that cannot be read is told to `fail`, by its number from 1, and left out.

        Types are those of the rows in it: a column that is whole numbers here may hold fractions elsewhere.

        Raises:
            Exception: nothing of it can be read.
        """
        suffix = path.suffix.lower()
        if suffix in PARQUET:
            return self._rows(path, piece)
        with path.open("rb") as stream:
            if suffix in LINES:
                return _json_lines(part(stream, piece), piece.first, fail)
            if self._header[0] != path:
                self._header = (path, _record(stream))
            header = self._header[1]
            if not header.endswith(b"\n"):
                header += b"\n"
            return _csv(header, part(stream, piece), "\t" if suffix == ".tsv" else ",", piece.first, fail)

    def _rows(self, path: Path, piece: Piece) -> Any:
        if self._group[:2] != (path, piece.group):
            self._group = (Path(), -1, None)  # never two at a time
            self._group = (path, piece.group, _parquet(path).read_row_group(piece.group))
        return self._group[2].slice(piece.start, piece.stop - piece.start).to_pandas()


def part(stream: IO[bytes], piece: Piece) -> bytes:
    """The bytes of a piece that is given in bytes."""
    stream.seek(piece.start)
    return stream.read(piece.stop - piece.start)


def _csv(header: bytes, body: bytes, separator: str, first: int, fail: Callable[[int, str], None]) -> Any:
    pandas = _pandas()

    def parsed(text: bytes) -> Any:
        return pandas.read_csv(io.BytesIO(header + text), sep=separator)

    try:
        return parsed(body)
    except pandas.errors.ParserError:
        stream = io.BytesIO(body)
    records = [record for record in iter(lambda: _record(stream), b"") if record.strip(b" \r\n")]
    sizes = [_fields(record, separator) for record in records]
    # A first row with more fields than names gives all rows an index, for pandas.
    most = max(_fields(header, separator), *sizes[:1])
    for number, size in enumerate(sizes, first + 1):
        if size > most:
            fail(number, f"has {size} fields where {most} are allowed")
    return parsed(b"".join(record for record, size in zip(records, sizes) if size <= most))  # noqa: B905


def _fields(record: bytes, separator: str) -> int:
    return len(next(csv.reader([record.decode("utf-8", "replace")], delimiter=separator)))


def _json_lines(body: bytes, first: int, fail: Callable[[int, str], None]) -> Any:
    good: list[bytes] = []
    for number, line in enumerate(body.split(b"\n"), first + 1):
        if not line.strip():
            continue
        try:
            if not isinstance(json.loads(line), dict):
                raise ValueError("is no JSON object")
            good.append(line)
        except ValueError as problem:
            fail(number, _reason(problem))
    return _pandas().read_json(io.BytesIO(b"\n".join(good)), lines=True) if good else _pandas().DataFrame()


def _reason(problem: Exception) -> str:
    return f"{type(problem).__name__}: {str(problem).strip()}"[:500]


def _pandas() -> Any:
    import pandas  # pyright: ignore[reportMissingTypeStubs]

    return cast("Any", pandas)
