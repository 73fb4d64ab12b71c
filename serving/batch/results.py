"""What a run leaves when all is scored: one file of rows or one for each input, and a summary."""

from __future__ import annotations

import contextlib
import fcntl
import json
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from serving.batch.journal import FOLDER, Journal, Record, write_file
from serving.batch.options import Options, UsageError
from serving.batch.plan import File, MiniBatch
from serving.batch.progress import Console
from serving.batch.rows import csv_line

_ERRORS_SHOWN = 1000
_Found = Sequence[tuple[MiniBatch, Journal]]


@dataclass(frozen=True)
class Counts:
    """How many items there were."""

    mini_batches: int
    items: int
    failed: int

    def __str__(self) -> str:
        done = self.items - self.failed
        return (
            f"{self.items} items in {self.mini_batches} mini batches: {done} succeeded, {self.failed} failed"
        )


class Results:
    """Writes them, in the order of the input."""

    def __init__(self, options: Options, files: list[File], console: Console) -> None:
        self._options = options
        self._files = files
        self._console = console

    def write(self, found: _Found, *, whole: bool = True) -> Counts:
        """Write what is there.

        Args:
            found: Mini batches that are done, in their order, and whose journal has each.
            whole: Whether that is all of them.

        Raises:
            UsageError: a header is asked for, and rows have no common columns.
        """
        options = self._options
        records = [journal.records[batch.index] for batch, journal in found]
        items, failed = sum(one.items for one in records), sum(one.failed for one in records)
        if options.output_action == "append_row":
            rows = (
                chunk for batch, journal in found for chunk in journal.rows_of(journal.records[batch.index])
            )
            self._file(options.output_file_name, (*self._header(records), *rows))
        elif options.output_action == "per_file":
            self._write_each(found)
        errors = [error for record in records for error in record.errors]
        summary = {
            "complete": whole,
            "mini_batches": len(records),
            "items": items,
            "succeeded": items - failed,
            "failed": failed,
            "rows": sum(record.rows for record in records),
            "errors": errors[:_ERRORS_SHOWN],
        }
        self._file("summary.json", [json.dumps(summary, indent=1).encode() + b"\n"])
        if items and failed == items:
            first = f"{errors[0]['item']}: {errors[0]['error']}"
            self._console.error(f"all {items} items failed; the first: {first}")
        elif failed and whole:
            self._console.warning(f"{failed} failed; --retry-failed runs their mini batches again")
        return Counts(len(records), items, failed)

    def _file(self, name: str, chunks: Iterable[bytes]) -> None:
        write_file(self._options.output / name, chunks, self._options.shard)

    def _write_each(self, found: _Found) -> None:
        of: dict[int, list[tuple[Record, Journal]]] = {}
        for batch, journal in found:
            for position in batch.files:
                of.setdefault(position, []).append((journal.records[batch.index], journal))
        for position, its in of.items():
            # A file of which everything failed gets none.
            if any(owner == position for record, _ in its for owner, _ in record.parts):
                name = f"{self._files[position].name}.{self._options.output_file_name}"
                rows = (chunk for record, journal in its for chunk in journal.rows_of(record, position))
                self._file(name, (*self._header([one for one, _ in its]), *rows))

    def _header(self, records: list[Record]) -> list[bytes]:
        """The line of the columns' names, where it is asked for.

        Raises:
            UsageError: rows have no names, or not all the same.
        """
        if not self._options.header:
            return []
        names = {tuple(record.columns or ()) for record in records if record.rows}
        if len(names) > 1 or () in names:
            shown = " and ".join(",".join(one) or "rows without names" for one in sorted(names))
            raise UsageError(f"--header: run() did not return the same columns each time: {shown}")
        return [csv_line(list(one)).encode() for one in names]


@contextmanager
def merging(output: Path) -> Generator[None]:
    """One shard at a time merges: what an earlier one has not seen, a later one adds.

    Where the file system has no locks, two may; both write the same, unless failed mini batches are run again.
    """
    with (output / FOLDER / "merge").open("w") as stream:
        with contextlib.suppress(OSError):
            fcntl.flock(stream, fcntl.LOCK_EX)
        yield


def shards(output: Path, count: int) -> tuple[list[tuple[MiniBatch, Journal]], list[int]]:
    """The mini batches of all shards by their order, with the shards' journals; and the shards that are not done."""
    found: list[tuple[MiniBatch, Journal]] = []
    missing: list[int] = []
    for shard in range(count):
        journal = Journal.of_another(output, shard, count)
        batches = list(_batches(journal))
        if journal.plan() is None or any(batch.index not in journal.records for batch in batches):
            missing.append(shard)
        found += [(batch, journal) for batch in batches]
    return sorted(found, key=lambda one: one[0].index), missing


def _batches(journal: Journal) -> Iterator[MiniBatch]:
    plan = journal.plan()
    for one in plan["batches"] if plan else ():
        yield MiniBatch.from_json(one)
