"""What `up` and `destroy` show while they work and when they are done: a line a service, not one a resource.

`--diff` shows every resource, `--json` every event.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable
from typing import TextIO

from rich.text import Text
from rich.tree import Tree

from mldeploy.cli.tables import width
from mldeploy.engine.base.options import Result
from mldeploy.engine.display import Display, PlainDisplay, RichDisplay
from mldeploy.engine.display.base import STYLES, Row
from mldeploy.review.plan import Change
from mldeploy.review.terminal import SIGNS, resources, whole, wrapped

_OPS = {
    "create-replacement": "replace",
    "delete-replaced": "replace",
    "import": "create",
    "discard": "delete",
}
_QUIET = ("pulumi:pulumi:Stack", "pulumi:providers:")


def services_display(operation: str, stream: TextIO | None = None) -> Display:
    """The display for a terminal, or for what stands in its place."""
    out = sys.stdout if stream is None else stream
    return _Tree(operation, out) if out.isatty() else _Lines(operation, out)


def grouped(rows: dict[str, Row]) -> dict[str, list[Row]]:
    """The rows that change, by the name of what they belong to: a service with its image and its model is one."""
    tops = {urn: _top(rows, row).name for urn, row in rows.items() if not row.type.startswith(_QUIET)}
    names = set(tops.values())
    found: dict[str, list[Row]] = {}
    for urn, name in sorted(tops.items(), key=lambda item: item[1]):
        row = rows[urn]
        if row.failed or not row.finished or _op(row) in SIGNS:
            owner = next((one for one in sorted(names) if name.startswith(f"{one}-")), name)
            found.setdefault(owner, []).append(row)
    return found


def _top(rows: dict[str, Row], row: Row) -> Row:
    while (above := rows.get(row.parent)) is not None and not above.type.startswith(_QUIET):
        row = above
    return row


def _op(row: Row) -> str:
    return _OPS.get(row.op, row.op)


def _changes(rows: Iterable[Row]) -> list[Change]:
    """What was done. What failed was not."""
    return [
        Change(_op(row), row.type, row.name, row.parent)
        for row in sorted(rows, key=lambda row: (row.type, row.name))
        if _op(row) in SIGNS and not row.failed
    ]


def _failures(rows: Iterable[Row]) -> list[str]:
    return [f"{row.type.rsplit(':', 1)[-1]} failed" for row in rows if row.failed]


class _Lines(PlainDisplay):
    """Progress as it comes; at the end a line a service."""

    def on_begin(self, row: Row) -> None:
        """Said at the end."""

    def on_end(self, row: Row) -> None:
        """Said at the end, but for a failure."""
        if row.failed:
            self._print(f"     {row.name}: failed")

    def close(self, result: Result) -> None:
        """What was done, then errors, counts, time."""
        for name, rows in grouped(self.rows).items():
            done = _changes(rows)
            parts = [*_failures(rows), *([resources(done).removeprefix("resources: ")] if done else [])]
            sign = "!" if any(row.failed for row in rows) else SIGNS[whole(done)] if done else " "
            if parts:
                text = wrapped(f"{name}: {'; '.join(parts)}", width() - 2)
                self._print(f"  {sign} {text[0].strip()}")
                for line in text[1:]:
                    self._print(line)
        super().close(result)


class _Tree(RichDisplay):
    """A line a service, with what it waits for."""

    def _draw(self) -> Tree:
        with self._lock:
            tree = Tree(Text(self.operation), guide_style="dim")
            for name, rows in grouped(self.rows).items():
                tree.add(self._service(name, rows))
            return tree

    def _service(self, name: str, rows: list[Row]) -> Text:
        running = [row for row in rows if not row.finished and row.custom]
        failures, done = _failures(rows), _changes(row for row in rows if row.finished)
        op = whole(_changes(rows)) if _changes(rows) else "update"
        text = Text.assemble((f"{SIGNS[op]} ", STYLES.get(op, "")), (name, "bold"))
        if failures:
            text.append(f"  {', '.join(failures)}", style="bold red")
        elif running:
            row = running[-1]
            seconds = time.monotonic() - row.started
            text.append(f"  {len(done)} done; {row.type.rsplit(':', 1)[-1]} {seconds:.0f} s", style="yellow")
            if progress := self._row_progress.get(row.urn):
                text.append(f"  {progress[:60]}", style="dim")
        elif done:
            text.append(f"  {resources(done).removeprefix('resources: ')}", style=STYLES.get(op, ""))
        return text
