"""A batch run from its arguments to its exit code."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from serving.batch.journal import Journal, Record, write_file
from serving.batch.options import Options, UsageError, parse
from serving.batch.plan import File, MiniBatch, find_files, fingerprint, mini_batches
from serving.batch.pool import Done, Pool, StartError
from serving.batch.progress import Console
from serving.batch.rows import csv_line

DONE, IO_FAILED, USAGE, SCRIPT_FAILED, TOO_MANY_ERRORS = range(5)
_ERRORS_SHOWN = 1000


class ThresholdError(Exception):
    """More failed than `error_threshold` allows."""


class Interrupted(BaseException):
    """SIGTERM."""


def main(arguments: Sequence[str]) -> int:
    """Run; the process's exit code."""

    def on_term(_number: int, _frame: object) -> None:
        raise Interrupted

    signal.signal(signal.SIGTERM, on_term)
    console = Console("info")
    try:
        options = parse(arguments)
        console = Console(options.logging_level)
        with_result = _run(options, console)
    except UsageError as problem:
        console.error(str(problem))
        return USAGE
    except StartError as problem:
        console.error(f"the entry script did not start:\n{problem}".rstrip())
        return SCRIPT_FAILED
    except OSError as problem:
        console.error(f"{problem}; the same command goes on from here")
        return IO_FAILED
    except ThresholdError as problem:
        console.error(str(problem))
        return TOO_MANY_ERRORS
    except (KeyboardInterrupt, Interrupted) as problem:
        console.error("interrupted; the same command does what is missing")
        return 143 if isinstance(problem, Interrupted) else 130
    print(with_result)
    return DONE


def _run(options: Options, console: Console) -> str:
    root, files = find_files(options)
    journal = Journal(options.output)
    try:
        job = Job(options, console, journal, root, files)
        if options.restart:
            journal.forget()
        return job.run()
    finally:
        journal.close()


class Job:
    """One run over one input, into one output folder."""

    def __init__(
        self, options: Options, console: Console, journal: Journal, root: Path, files: list[File]
    ) -> None:
        self._options = options
        self._console = console
        self._journal = journal
        self._root = root
        self._files = files
        self._failed = 0
        self._items = 0

    def run(self) -> str:
        """Do what is missing; one line about the result.

        Raises:
            UsageError, StartError, ThresholdError: see there.
        """
        plan = self._journal.plan()
        batches = self._continued(plan) if plan is not None else None
        if batches is not None and len(batches) == len(self._journal.records):
            return self._finish(batches)
        pool = Pool(self._options, self._console)
        done = False
        try:
            wanted = pool.first(len(self._files))
            if batches is None:
                style = self._style(wanted)
                pool.use(style, self._root, [file.name for file in self._files])
                batches = self._planned(style)
            else:
                pool.use(plan["style"] if plan else "", self._root, [file.name for file in self._files])
            self._work(pool, batches)
            done = True
        except ThresholdError:
            self._finish(
                [batch for batch in batches or () if batch.index in self._journal.records], whole=False
            )
            raise
        finally:
            self._console.end()
            pool.close(kill=not done)
        return self._finish(batches)

    # -- the plan ----

    def _style(self, wanted: str) -> str:
        style = wanted if self._options.style == "auto" else self._options.style
        self._console.info(
            f"style {style}" + (" (--style changes it)" if self._options.style == "auto" else "")
        )
        return style

    def _planned(self, style: str) -> list[MiniBatch]:
        batches = mini_batches(self._root, self._files, style, self._options.amount(style))
        if not batches:
            raise UsageError(f"--input: {self._options.input} has nothing to score: its files are empty")
        self._journal.begin(
            {
                "style": style,
                "of": fingerprint(self._options, self._options.style, self._files),
                "batches": [batch.to_json() for batch in batches],
            }
        )
        return batches

    def _continued(self, plan: dict[str, Any]) -> list[MiniBatch]:
        now = fingerprint(self._options, self._options.style, self._files)
        again = self._options.retry_failed
        changed = [
            key for key in now if plan["of"].get(key) != now[key] and not (again and key == "entry_script")
        ]
        if changed:
            raise UsageError(
                f"--output: {self._options.output} holds a run with other {', '.join(changed)}; "
                "give --restart to begin anew, or another --output"
                + (", or --retry-failed for the failed ones alone" if changed == ["entry_script"] else "")
            )
        self._journal.resume(but_failed=again)
        batches = [MiniBatch.from_json(one) for one in plan["batches"]]
        self._console.info(
            f"continuing: {len(self._journal.records)} of {len(batches)} mini batches are done"
        )
        return batches

    # -- the work ----

    def _work(self, pool: Pool, batches: list[MiniBatch]) -> None:
        self._items = sum(batch.items for batch in batches)
        before = self._journal.records.values()
        self._failed = sum(record.failed for record in before)
        self._check(self._failed)
        self._console.begin(self._items, sum(record.items for record in before), self._failed)
        pool.run([batch for batch in batches if batch.index not in self._journal.records], self._note)

    def _note(self, finished: list[Done]) -> None:
        self._journal.add(
            _entry(done, keep=self._options.output_action != "summary_only") for done in finished
        )
        for done in finished:
            for error in done.errors:
                self._console.warning(f"{error['item']}: {error['error']}")
            self._console.advance(done.batch.items, done.failed)
            self._failed += done.failed
        self._check(self._failed)

    def _check(self, failed: int) -> None:
        limit = self._options.error_threshold
        if 0 <= limit < failed:
            raise ThresholdError(f"{failed} failed; error_threshold allows {limit}")

    # -- the end ----

    def _finish(self, batches: list[MiniBatch], *, whole: bool = True) -> str:
        """Write what is there.

        Raises:
            UsageError: a header is asked for, and rows have no common columns.
            ThresholdError: more failed than may.
        """
        options = self._options
        records = [self._journal.records[batch.index] for batch in batches]
        items = sum(record.items for record in records)
        failed = sum(record.failed for record in records)
        if options.output_action == "append_row":
            rows = (chunk for record in records for chunk in self._journal.rows_of(record))
            write_file(options.output / options.output_file_name, (*self._header(records), *rows))
        elif options.output_action == "per_file":
            self._write_each(batches, records)
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
        write_file(options.output / "summary.json", [json.dumps(summary, indent=1).encode() + b"\n"])
        if items and failed == items:
            self._console.error(
                f"all {items} items failed; the first: {errors[0]['item']}: {errors[0]['error']}"
            )
        elif failed and whole:
            self._console.warning(f"{failed} failed; --retry-failed runs their mini batches again")
        self._check(failed)
        return f"{items} items in {len(records)} mini batches: {items - failed} succeeded, {failed} failed"

    def _write_each(self, batches: list[MiniBatch], records: list[Record]) -> None:
        of: dict[int, list[Record]] = {}
        for batch, record in zip(batches, records):  # noqa: B905 (one record a batch)
            for position in batch.files:
                of.setdefault(position, []).append(record)
        for position, its in of.items():
            # A file of which everything failed gets none.
            if any(owner == position for record in its for owner, _ in record.parts):
                name = f"{self._files[position].name}.{self._options.output_file_name}"
                write_file(self._options.output / name, (*self._header(its), *self._rows(its, position)))

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

    def _rows(self, records: Iterable[Record], position: int) -> Iterator[bytes]:
        for record in records:
            yield from self._journal.rows_of(record, position)


def _entry(done: Done, *, keep: bool) -> tuple[Record, list[bytes]]:
    texts = [text.encode("utf-8", "surrogateescape") for _, text in done.parts] if keep else []
    parts = [[owner, len(text)] for (owner, _), text in zip(done.parts, texts)]  # noqa: B905 (none are kept, or all)
    record = Record(
        done.batch.index,
        done.batch.items,
        done.failed,
        done.rows,
        parts=parts,
        errors=done.errors,
        columns=done.columns,
    )
    return record, texts
