"""What all displays share: rows by resource, words and signs for operations, summaries."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from typing import Any

from mldeploy.engine.base.options import Result
from mldeploy.values.property_value import SECRET_SIG, SIG_KEY, UNKNOWN_STRING, is_list, is_map

SIGNS = {
    "same": " ",
    "create": "+",
    "update": "~",
    "delete": "-",
    "replace": "+-",
    "create-replacement": "++",
    "delete-replaced": "--",
    "read": ">",
    "read-replacement": ">>",
    "refresh": "~",
    "discard": "<",
    "discard-replaced": "<<",
    "import": "=",
    "import-replacement": "=>",
    "remove-pending-replace": "~",
}
STYLES = {
    "create": "green",
    "update": "yellow",
    "delete": "red",
    "replace": "magenta",
    "create-replacement": "green",
    "delete-replaced": "red",
    "import": "green",
    "read": "cyan",
    "refresh": "yellow",
}
_DOING = {
    "same": "checking",
    "create": "creating",
    "update": "updating",
    "delete": "deleting",
    "replace": "replacing",
    "create-replacement": "creating replacement",
    "delete-replaced": "deleting original",
    "read": "reading",
    "read-replacement": "reading for replacement",
    "refresh": "refreshing",
    "discard": "discarding",
    "discard-replaced": "discarding original",
    "import": "importing",
    "import-replacement": "importing replacement",
    "remove-pending-replace": "completing deletion",
}
_DONE = {
    "same": "unchanged",
    "create": "created",
    "update": "updated",
    "delete": "deleted",
    "replace": "replaced",
    "create-replacement": "created replacement",
    "delete-replaced": "deleted original",
    "read": "read",
    "read-replacement": "read for replacement",
    "refresh": "refreshed",
    "discard": "discarded",
    "discard-replaced": "discarded original",
    "import": "imported",
    "import-replacement": "imported replacement",
    "remove-pending-replace": "completed deletion",
}
MAX_TEXT = 80


def doing(op: str, *, preview: bool) -> str:
    """`creating`, or what a preview says of the operation."""
    return op if preview else _DOING.get(op, op)


def finished(op: str, *, preview: bool) -> str:
    """`created`, or what a preview says of the operation."""
    return op if preview else _DONE.get(op, op)


def plural(count: int, noun: str) -> str:
    """`1 error`, `2 errors`."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


@dataclass(slots=True)
class Row:
    """One resource as the display knows it."""

    urn: str
    type: str
    name: str
    parent: str
    op: str = "same"
    status: str = ""
    started: float = field(default_factory=time.monotonic)
    seconds: float = 0.0
    diff_keys: list[str] = field(default_factory=list[str])
    metadata: dict[str, Any] = field(default_factory=dict[str, Any])
    failed: bool = False
    finished: bool = False
    messages: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])

    @property
    def custom(self) -> bool:
        """Whether a provider manages it; components only group."""
        return bool(self.side("new").get("custom") or self.side("old").get("custom"))

    def side(self, which: str) -> dict[str, Any]:
        """The `old` or `new` state of the last step event; empty without one."""
        state: dict[str, Any] | None = self.metadata.get(which)
        return state or {}


class Display:
    """Collects rows; subclasses draw. Call it with events, then `close(result)`."""

    def __init__(self, operation: str, *, show_sames: bool = False) -> None:
        self.operation = operation
        self.preview = operation == "preview"
        self.show_sames = show_sames
        self.rows: dict[str, Row] = {}
        self.diagnostics: list[tuple[str, str, str]] = []
        self.progress = ""

    def __call__(self, event: dict[str, Any]) -> None:
        if "resourcePreEvent" in event:
            self.preview = bool(event["resourcePreEvent"].get("planning")) or self.preview
            self.on_begin(self._row(event["resourcePreEvent"]["metadata"]))
        elif "resOutputsEvent" in event:
            row = self._row(event["resOutputsEvent"]["metadata"])
            self._finish(row)
            self.on_end(row)
        elif "resOpFailedEvent" in event:
            row = self._row(event["resOpFailedEvent"]["metadata"])
            self._finish(row)
            row.failed = True
            self.on_end(row)
        elif "diagnosticEvent" in event:
            self._diagnostic(event["diagnosticEvent"])
        elif "policyEvent" in event:
            self._policy(event["policyEvent"])

    def _row(self, metadata: dict[str, Any]) -> Row:
        urn = metadata["urn"]
        state: dict[str, Any] = metadata.get("new") or metadata.get("old") or {}
        row = self.rows.get(urn)
        if row is None:
            row = self.rows[urn] = Row(
                urn, metadata["type"], urn.rsplit("::", 1)[-1], state.get("parent", "")
            )
        op = metadata["op"]
        # `replace` names the whole of which the other two are parts.
        if not (row.op == "replace" and op in ("create-replacement", "delete-replaced")):
            row.op = op
        row.status = op
        row.diff_keys = list(metadata.get("diffs") or metadata.get("keys") or row.diff_keys)
        row.metadata = metadata if metadata.get("detailedDiff") or not row.metadata else row.metadata
        row.finished = False
        return row

    @staticmethod
    def _finish(row: Row) -> None:
        row.seconds = time.monotonic() - row.started
        row.finished = True

    def _diagnostic(self, event: dict[str, Any]) -> None:
        text = event["message"].rstrip("\n")
        if event.get("ephemeral"):
            self.progress = text
            self.on_progress(event.get("urn", ""), text)
            return
        self.diagnostics.append((event["severity"], event.get("urn", ""), text))
        self.on_diagnostic(event["severity"], event.get("urn", ""), text)

    def _policy(self, event: dict[str, Any]) -> None:
        level = event["enforcementLevel"]
        severity = "error" if level == "mandatory" else "warning"
        text = f"[{level}] {event['policyPackName']} {event['policyName']}: {event['message'].strip()}"
        self.diagnostics.append((severity, event.get("resourceUrn", ""), text))
        self.on_diagnostic(severity, event.get("resourceUrn", ""), text)

    @property
    def failed(self) -> int:
        """How many resources failed."""
        return sum(row.failed for row in self.rows.values())

    # -- for subclasses --------------------------------------------------------------------------------------

    def on_begin(self, row: Row) -> None:
        """A step begins."""

    def on_end(self, row: Row) -> None:
        """A step has ended."""

    def on_diagnostic(self, severity: str, urn: str, text: str) -> None:
        """A message for the user."""

    def on_progress(self, urn: str, text: str) -> None:
        """A passing message about a long step."""

    def close(self, result: Result) -> None:
        """Draw the end: messages, outputs, summary."""


def summary_lines(result: Result, *, preview: bool, failed: int = 0) -> list[str]:
    """The counts, in the CLI's words."""
    lines = [f"{failed} failed"] if failed else []
    order = ("create", "update", "delete", "replace", "import", "read", "discard")
    for op in [*order, *(k for k in sorted(result.changes) if k not in order and k != "same")]:
        count = result.changes.get(op, 0)
        if count:
            lines.append(
                f"{SIGNS.get(op, '').strip()} {count} "
                + (f"to {op}" if preview else finished(op, preview=False))
            )
    same = result.changes.get("same", 0)
    if same:
        lines.append(f"{same} unchanged")
    return lines


def show(value: Any, *, limit: int = MAX_TEXT) -> str:
    """A property value on one line: secrets masked, unknowns named, long texts cut."""
    if is_map(value):
        items: dict[str, Any] = value
        if items.get(SIG_KEY) == SECRET_SIG:
            return "[secret]"
        if SIG_KEY in items:
            return f"asset({str(items.get('hash') or '')[:8]})"
    if value == UNKNOWN_STRING:
        return "[unknown]"
    text = json.dumps(_plain(value), ensure_ascii=False)
    return text if len(text) <= limit else text[: limit - 1] + "…"


def _plain(value: Any) -> Any:
    if is_map(value):
        items: dict[str, Any] = value
        if items.get(SIG_KEY) == SECRET_SIG:
            return "[secret]"
        return {k: _plain(v) for k, v in items.items()}
    if is_list(value):
        elements: list[Any] = value
        return [_plain(v) for v in elements]
    return "[unknown]" if value == UNKNOWN_STRING else value
