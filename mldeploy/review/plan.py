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
        self.counts: Counter[str] = Counter()

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
        elif "diagnosticEvent" in event and event["diagnosticEvent"].get("severity") == "error":
            self.errors.append(_plain(event["diagnosticEvent"].get("message", "")))

    def _step(self, metadata: dict[str, Any]) -> None:
        op = str(metadata["op"])
        if op not in (*_CHANGES, "same") or not metadata.get("logical", True):
            return
        self.counts[_CHANGES.get(op, op)] += 1
        if op == "same":
            return
        state: dict[str, Any] = metadata.get("new") or metadata.get("old") or {}
        urn = str(metadata["urn"])
        differing = metadata.get("diffs") or sorted(metadata.get("detailedDiff") or ())
        self.changes.append(
            Change(
                _CHANGES[op],
                str(metadata["type"]),
                urn.rsplit("::", 1)[-1],
                str(state.get("parent") or ""),
                tuple(str(key) for key in differing),
                state.get("inputs") or {},
            )
        )

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
