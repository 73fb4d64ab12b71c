"""What survives a kill: the plan, the rows so far, and a journal of the mini batches they are from.

A mini batch counts once its journal line is on the disk, and its rows are there before. What lies behind the last
journaled row is cut off when a run is continued. So each mini batch's rows are in the result exactly once.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import IO, Any, cast

from serving.batch.options import UsageError

FOLDER = ".batch"


@dataclass(frozen=True)
class Record:
    """A mini batch that is done, for good or ill."""

    index: int
    items: int
    """Files, lines or rows it had."""
    failed: int
    rows: int
    start: int = 0
    """Its first byte in the rows so far."""
    parts: list[list[int]] = field(default_factory=list[list[int]])
    """Position of a file (-1: of all of the mini batch), and how many bytes are from it."""
    errors: list[dict[str, str]] = field(default_factory=list[dict[str, str]])
    columns: list[str] | None = None
    """The names of its rows' columns, where they have names."""


class Journal:
    """The state of one output folder; holds its lock while open."""

    def __init__(self, output: Path, shard: int = 0, shards: int = 1) -> None:
        """Take the folder.

        Raises:
            UsageError: it cannot be written, or another run is at work in it.
        """
        self._at(output, shard, shards)
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._lock = (self.folder / "lock").open("w")
        except OSError as problem:
            raise UsageError(f"--output: {problem.filename}: {problem.strerror}") from problem
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            self._lock.close()
            raise UsageError(f"--output: another run is at work in {output}") from None

    def _at(self, output: Path, shard: int, shards: int) -> None:
        self.folder = output / FOLDER
        if shards > 1:
            self.folder /= f"{shard}-of-{shards}"
        self.records: dict[int, Record] = {}
        self._lock: IO[str] | None = None
        self._rows: IO[bytes] | None = None
        self._lines: IO[bytes] | None = None

    @classmethod
    def of_another(cls, output: Path, shard: int, shards: int) -> Journal:
        """The journal of another shard, to read: what is in it now."""
        found = cls.__new__(cls)
        found._at(output, shard, shards)
        if (found.folder / "journal").exists():
            found._read()
        return found

    def close(self) -> None:
        """Give the folder up."""
        for stream in (self._rows, self._lines, self._lock):
            if stream is not None:
                stream.close()

    # -- beginning and continuing ----

    def plan(self) -> dict[str, Any] | None:
        """The plan of the run to continue; None when there is none."""
        path = self.folder / "plan.json"
        if not path.exists():
            return None
        return cast("dict[str, Any]", json.loads(path.read_text("utf-8")))

    def begin(self, plan: dict[str, Any]) -> None:
        """Start anew. The plan appears last, and whole."""
        self.forget()
        for name in ("rows", "journal"):
            write_file(self.folder / name, [b""])
        write_file(self.folder / "plan.json", [json.dumps(plan).encode()])
        self.resume()

    def forget(self) -> None:
        """Remove what an earlier run left; the plan goes first."""
        for name in ("plan.json", "journal", "rows"):
            (self.folder / name).unlink(missing_ok=True)

    def resume(self, *, but_failed: bool = False) -> None:
        """Read the journal; drop a torn last line, and rows behind the last journaled one.

        Args:
            but_failed: leave those out of which something failed, so that they are run again.
        """
        whole, end = self._read()
        self._lines = (self.folder / "journal").open("r+b")
        self._lines.truncate(whole)
        self._lines.seek(whole)
        if but_failed:
            self.records = {index: record for index, record in self.records.items() if not record.failed}
        self._rows = (self.folder / "rows").open("r+b")
        self._rows.truncate(end)
        self._rows.seek(end)

    def _read(self) -> tuple[int, int]:
        """Read the journal: the length of its whole lines, and of the rows that they name."""
        whole = end = 0
        with (self.folder / "journal").open("rb") as stream:
            for line in stream:
                record = _parse(line)
                if record is None:
                    break
                whole += len(line)
                # A mini batch that was run again stands there twice: the last line counts.
                self.records[record.index] = record
                end = max(end, record.start + sum(size for _, size in record.parts))
        return whole, end

    # -- while it runs ----

    def add(self, results: Iterable[tuple[Record, list[bytes]]]) -> None:
        """Note mini batches that are done, with the bytes of each of their parts; on the disk when this returns.

        Raises:
            OSError: the disk is full or fails.
        """
        assert self._rows is not None and self._lines is not None
        added: list[Record] = []
        for record, texts in results:
            start = self._rows.tell()
            self._rows.writelines(texts)
            added.append(replace(record, start=start))
        if not added:
            return
        _sync(self._rows)
        for record in added:
            self._lines.write(json.dumps(asdict(record)).encode() + b"\n")
        _sync(self._lines)
        self.records.update((record.index, record) for record in added)

    # -- the end ----

    def rows_of(self, record: Record, file: int | None = None) -> Iterable[bytes]:
        """The rows of a mini batch, or of one file in it."""
        position = record.start
        with (self.folder / "rows").open("rb") as stream:
            for owner, size in record.parts:
                if file is None or owner == file:
                    stream.seek(position)
                    yield stream.read(size)
                position += size


def _parse(line: bytes) -> Record | None:
    if not line.endswith(b"\n"):
        return None
    try:
        return Record(**json.loads(line))
    except (ValueError, TypeError):
        return None


def _sync(stream: IO[bytes]) -> None:
    stream.flush()
    os.fsync(stream.fileno())


def write_file(path: Path, chunks: Iterable[bytes], by: int = 0) -> None:
    """Write a file so that it is there whole or not at all, also after a power cut, and when several shards do it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{by}.new")
    with temporary.open("wb") as stream:
        stream.writelines(chunks)
        _sync(stream)
    temporary.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
