"""A live tree of the stack's resources on a terminal."""

from __future__ import annotations

import threading
import time
from typing import Any, TextIO

from rich.console import Console
from rich.live import Live
from rich.markup import escape
from rich.text import Text
from rich.tree import Tree

from mldeploy.engine.base.options import Result
from mldeploy.engine.base.urn import ROOT_STACK_TYPE, is_provider_type
from mldeploy.engine.display.base import (
    SIGNS,
    STYLES,
    Display,
    Row,
    doing,
    finished,
    plural,
    summary_lines,
)
from mldeploy.engine.display.properties import diff_lines

_MAX_DIFF_LINES = 6


class RichDisplay(Display):
    """Redraws at most ten times a second; every method may come from any thread."""

    def __init__(self, operation: str, stream: TextIO, *, show_sames: bool = False) -> None:
        super().__init__(operation, show_sames=show_sames)
        self._console = Console(file=stream, highlight=False)
        self._lock = threading.RLock()
        self._row_progress: dict[str, str] = {}
        self._live = Live(
            console=self._console,
            refresh_per_second=8,
            get_renderable=self._draw,
            transient=False,
            vertical_overflow="ellipsis",
        )
        self._live.start()

    def __call__(self, event: dict[str, Any]) -> None:
        with self._lock:
            super().__call__(event)

    def on_progress(self, urn: str, text: str) -> None:
        self._row_progress[urn] = text

    def _visible(self) -> list[Row]:
        """Changed, failed or running rows and everything above them."""
        keep: set[str] = set()
        for row in self.rows.values():
            wanted = self.show_sames or row.op not in ("same", "refresh") or row.failed or not row.finished
            if wanted and not is_provider_type(row.type):
                urn = row.urn
                while urn and urn not in keep:
                    keep.add(urn)
                    urn = self.rows[urn].parent if urn in self.rows else ""
        return [row for row in self.rows.values() if row.urn in keep]

    def _draw(self) -> Tree:
        with self._lock:
            rows = self._visible()
            stack = next((row for row in rows if row.type == ROOT_STACK_TYPE), None)
            title = self._label(stack) if stack is not None else Text(self.operation)
            tree = Tree(title, guide_style="dim")
            nodes: dict[str, Tree] = {} if stack is None else {stack.urn: tree}
            waiting = [row for row in rows if row is not stack]
            # Parents come before their children except when deleting.
            while waiting:
                names = {row.urn for row in waiting}
                ready = [row for row in waiting if row.parent not in names]
                for row in ready:
                    nodes[row.urn] = nodes.get(row.parent, tree).add(self._label(row))
                waiting = [row for row in waiting if row not in ready]
                if not ready:
                    break
            return tree

    def _label(self, row: Row) -> Text:
        style = STYLES.get(row.op, "dim" if row.op == "same" else "")
        sign = SIGNS.get(row.op, " ").strip()
        text = Text.assemble((f"{sign} " if sign else "", style), (row.type, "cyan"), " ", (row.name, "bold"))
        if row.failed:
            text.append("  failed", style="bold red")
        elif row.finished or row.op == "same" or self.preview:
            text.append(f"  {finished(row.op, preview=self.preview)}", style=style)
            if row.seconds >= 0.05 and not self.preview:
                text.append(f" ({row.seconds:.1f}s)", style="dim")
        else:
            text.append(
                f"  {doing(row.status, preview=False)}… {time.monotonic() - row.started:.0f}s", style=style
            )
            if self._row_progress.get(row.urn):
                text.append(f"  {self._row_progress[row.urn][:60]}", style="dim")
        if row.op in ("update", "replace") and self.preview:
            for line in diff_lines(row, "   ")[:_MAX_DIFF_LINES]:
                text.append(f"\n{line}", style="dim")
        elif row.diff_keys and row.op in ("update", "replace"):
            text.append(f"  [{', '.join(row.diff_keys)}]", style="dim")
        return text

    def close(self, result: Result) -> None:
        """The last picture, messages, outputs, counts, time."""
        with self._lock:
            for row in self.rows.values():
                row.finished = True
        self._live.stop()
        self._messages()
        self._console.print("\n[bold]Resources:[/]")
        for line in summary_lines(result, preview=self.preview, failed=self.failed) or ["no changes"]:
            self._console.print(f"    {escape(line)}")
        self._console.print(f"\n[bold]Duration:[/] {result.duration:.1f}s")

    def _messages(self) -> None:
        colours = {"error": "bold red", "warning": "yellow"}
        errors = 0
        for severity, urn, text in self.diagnostics:
            errors += severity == "error"
            where = f"{urn.rsplit('::', 1)[-1]}: " if urn else ""
            style = colours.get(severity, "")
            label = f"[{style}]{severity}:[/] " if style else ""
            self._console.print(f"\n{label}[bold]{escape(where)}[/]{escape(text)}")
        if errors:
            self._console.print(f"\n[bold red]{plural(errors, 'error')}[/]")
