"""The events of a preview, gathered by service."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

ENDPOINTS = ("LocalEndpoint", "AciEndpoint", "AksEndpoint", "BatchEndpoint", "EdgeModule")
_CHANGES = {
    "create": "create",
    "update": "update",
    "delete": "delete",
    "replace": "replace",
    "import": "create",
    "discard-replaced": "delete",
}


@dataclass(frozen=True)
class Change:
    """One resource that changes."""

    op: str
    """`create`, `update`, `replace` or `delete`."""
    type: str
    name: str
    parent: str
    """Its parent's URN."""
    keys: tuple[str, ...] = ()
    """The properties that differ."""
    inputs: dict[str, Any] = field(default_factory=dict[str, Any])
    before: dict[str, Any] = field(default_factory=dict[str, Any])
    """The inputs it had."""
    top: str = ""
    """The URN of the component, or of itself, that lies directly in the stack."""

    @property
    def kind(self) -> str:
        """The last part of the type: `Replica`."""
        return self.type.rsplit(":", 1)[-1]


class Plan:
    """Takes the engine's events one by one."""

    def __init__(self) -> None:
        self.changes: list[Change] = []
        self.violations: list[tuple[str, str, str]] = []
        """Level, rule and message of each policy that is not met."""
        self.errors: list[str] = []
        self.notes: list[tuple[str, str]] = []
        """Severity and text of what the engine, the program and the provider say besides errors."""
        self.counts: Counter[str] = Counter()
        self._parents: dict[str, str] = {}

    def __call__(self, event: dict[str, Any]) -> None:
        """Take an event."""
        if "resourcePreEvent" in event:
            self._step(event["resourcePreEvent"]["metadata"])
        elif "policyEvent" in event:
            found = event["policyEvent"]
            self.violations.append(
                (
                    found.get("enforcementLevel", ""),
                    found.get("policyName", ""),
                    _plain(found.get("message", "")),
                )
            )
        elif "diagnosticEvent" in event and not event["diagnosticEvent"].get("ephemeral"):
            found = event["diagnosticEvent"]
            severity, text = str(found.get("severity")), _plain(found.get("message", ""))
            if severity == "error":
                self.errors.append(text)
            elif severity != "debug" and text:
                name = str(found.get("urn") or "").rsplit("::", 1)[-1]
                self.notes.append((severity, f"{name}: {text}" if name else text))

    def _step(self, metadata: dict[str, Any]) -> None:
        op = str(metadata["op"])
        known: dict[str, Any] = metadata.get("new") or metadata.get("old") or {}
        self._parents[str(metadata["urn"])] = str(known.get("parent") or "")
        if op not in (*_CHANGES, "same") or not metadata.get("logical", True):
            return
        self.counts[_CHANGES.get(op, op)] += 1
        if op == "same":
            return
        urn = str(metadata["urn"])
        old: dict[str, Any] = metadata.get("old") or {}
        differing = metadata.get("diffs") or sorted(metadata.get("detailedDiff") or ())
        self.changes.append(
            Change(
                _CHANGES[op],
                str(metadata["type"]),
                urn.rsplit("::", 1)[-1],
                str(known.get("parent") or ""),
                tuple(str(key) for key in differing),
                known.get("inputs") or {},
                old.get("inputs") or {},
                self._top(urn),
            )
        )

    def _top(self, urn: str) -> str:
        while (parent := self._parents.get(urn)) and "pulumi:pulumi:Stack::" not in parent:
            urn = parent
        return urn

    def services(self) -> dict[str, list[Change]]:
        """Changes by service: those of its endpoint component and of that component's resources."""
        found: dict[str, list[Change]] = {}
        for change in self.changes:
            name = self._service(change)
            if name is not None:
                found.setdefault(name, []).append(change)
        return dict(sorted(found.items()))

    def shared(self) -> list[Change]:
        """Changes that belong to no service: models, images, clusters, the foundation."""
        quiet = ("pulumi:pulumi:Stack", "pulumi:providers:")
        return [c for c in self.changes if self._service(c) is None and not c.type.startswith(quiet)]

    @staticmethod
    def _service(change: Change) -> str | None:
        if change.type.startswith("mldeploy:") and change.kind in ENDPOINTS:
            return change.name
        parent_type, _, name = change.parent.rpartition("::")
        return name if parent_type.rsplit(":", 1)[-1].split("$")[-1] in ENDPOINTS else None


def _plain(text: str) -> str:
    """Without the CLI's colour marks."""
    for mark in ("<{%reset%}>", "<{%fg 1%}>", "<{%bold%}>"):
        text = text.replace(mark, "")
    return text.strip()
