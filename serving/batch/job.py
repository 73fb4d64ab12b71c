"""A batch run from its arguments to its exit code."""

from __future__ import annotations

import signal
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from serving.batch.journal import Journal, Record
from serving.batch.options import Options, UsageError, parse
from serving.batch.plan import File, MiniBatch, find_files, fingerprint, mini_batches
from serving.batch.pool import Done, Pool, StartError
from serving.batch.progress import Console
from serving.batch.results import Results, merging, shards

DONE, IO_FAILED, USAGE, SCRIPT_FAILED, TOO_MANY_ERRORS = range(5)


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
    journal = Journal(options.output, options.shard, options.shards)
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
        found = mini_batches(self._root, self._files, style, self._options.amount(style))
        if not found:
            raise UsageError(f"--input: {self._options.input} has nothing to score: its files are empty")
        # By turns: neighbours in a table take about as long, and each shard gets of all.
        batches = found[self._options.shard :: self._options.shards]
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
        """Write what is there; of a run in shards, the last one writes what all of them have.

        Raises:
            UsageError: a header is asked for, and rows have no common columns.
            ThresholdError: more failed than may.
        """
        results = Results(self._options, self._files, self._console)
        if self._options.shards == 1:
            counts = results.write([(batch, self._journal) for batch in batches], whole=whole)
            self._check(counts.failed)
            return str(counts)
        with merging(self._options.output):
            found, missing = shards(self._options.output, self._options.shards)
            if missing and whole:
                waiting = ", ".join(str(shard) for shard in missing)
                own = sum(batch.items for batch in batches)
                return f"shard {self._options.shard}: {own} items are done; not done yet: {waiting}"
            done = [(batch, journal) for batch, journal in found if batch.index in journal.records]
            counts = results.write(done, whole=not missing)
        self._check(counts.failed)
        return str(counts)


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
