"""One line for each finished step: for logs, pipes and `--diff`."""

from __future__ import annotations

import re
import time
from typing import TextIO

from mldeploy.engine.base.options import Result
from mldeploy.engine.display.base import SIGNS, Display, Row, finished, plural, summary_lines
from mldeploy.engine.display.properties import diff_lines

_REPEAT_SECONDS = 15.0


class PlainDisplay(Display):
    """Writes lines as things happen; with `diff`, each change with its properties."""

    def __init__(
        self, operation: str, stream: TextIO, *, diff: bool = False, show_sames: bool = False
    ) -> None:
        super().__init__(operation, show_sames=show_sames)
        self._stream = stream
        self._diff = diff
        self._progress: dict[str, tuple[str, float]] = {}

    def _print(self, text: str = "") -> None:
        self._stream.write(text + "\n")
        self._stream.flush()

    def on_begin(self, row: Row) -> None:
        """Components report their end late or never: their line comes now."""
        if not row.custom and row.op not in ("delete", "refresh"):
            self._line(row, "")

    def on_end(self, row: Row) -> None:
        if row.custom or row.failed or row.op in ("delete", "refresh"):
            took = f" ({row.seconds:.1f}s)" if row.seconds >= 0.05 and not self.preview else ""
            self._line(row, took)

    def _line(self, row: Row, took: str) -> None:
        if row.status in ("same", "refresh") and not self.show_sames and not row.failed:
            return
        word = "failed" if row.failed else finished(row.status, preview=self.preview)
        keys = f" [{', '.join(row.diff_keys)}]" if row.diff_keys and row.status != "delete" else ""
        self._print(f"  {SIGNS.get(row.status, ' '):<2} {row.type} {row.name} {word}{took}{keys}")
        if self._diff and row.status not in ("create-replacement", "delete-replaced"):
            for line in diff_lines(row, "       "):
                self._print(line)

    def on_diagnostic(self, severity: str, urn: str, text: str) -> None:
        """Printed where it happens; errors are kept for the end, where they are found."""
        if severity == "error":
            return
        name = f" {urn.rsplit('::', 1)[-1]}:" if urn else ""
        first, *rest = text.splitlines() or [""]
        prefix = "" if severity in ("info", "info#err") else f"{severity}:"
        self._print(f"  {prefix}{name} {first}".rstrip() if prefix or name else first)
        for line in rest:
            self._print(f"    {line}")

    def on_progress(self, urn: str, text: str) -> None:
        """Progress of a long step; the same text with other numbers (seconds, bytes) only now and then."""
        now, shape = time.monotonic(), re.sub(r"[0-9]+", "0", text)
        said, when = self._progress.get(urn, ("", 0.0))
        if text and (said != shape or now - when >= _REPEAT_SECONDS):
            self._progress[urn] = (shape, now)
            name = urn.rsplit("::", 1)[-1]
            self._print(f"     {name}: {text}" if name else f"     {text}")

    def close(self, result: Result) -> None:
        """Errors, outputs, counts, time."""
        errors = [(urn, text) for severity, urn, text in self.diagnostics if severity == "error"]
        if errors:
            self._print()
            self._print(plural(len(errors), "error") + ":")
            for urn, text in errors:
                where = f"{urn.rsplit('::', 1)[-1]}: " if urn else ""
                self._print(f"  {where}{text.replace(chr(10), chr(10) + '    ')}")
        self._print()
        self._print("Resources:")
        for line in summary_lines(result, preview=self.preview, failed=self.failed) or ["no changes"]:
            self._print(f"    {line}")
        self._print()
        self._print(f"Duration: {result.duration:.1f}s")
