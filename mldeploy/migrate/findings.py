"""What a migration has to say about each thing it met."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class MigrateError(Exception):
    """An input that is no v1 file: says which, where and what is allowed."""


class Outcome(StrEnum):
    """What became of a v1 field."""

    MAPPED = "mapped"
    """The same thing under the name that the finding gives."""
    CHANGED = "changed"
    """The same purpose, said in another way; the finding says why."""
    DROPPED = "dropped"
    """Not in the manifest; the finding says why nothing is lost, or what is."""
    DECIDE = "to decide"
    """Only a person knows; the manifest has a place for it, marked TO DECIDE."""
    UNREAD = "not understood"
    """Seen, and not understood: a person has to look at the place."""


@dataclass(frozen=True)
class Finding:
    """One v1 field that was met."""

    outcome: Outcome
    where: str
    """The input, `deploy.py:12` or `deploymentconfig.json`."""
    what: str
    """The v1 field, `AksWebservice.autoscale_enabled`."""
    to: str
    """Where it is in the manifest, `services.churn.autoscale.enabled`; empty when dropped."""
    why: str
    """The reason, for everything that is not simply mapped."""

    def to_json(self) -> dict[str, Any]:
        """As plain data."""
        return {
            "outcome": self.outcome.value,
            "where": self.where,
            "field": self.what,
            "to": self.to,
            "why": self.why,
        }


MAPPED, CHANGED, DROPPED, DECIDE = Outcome.MAPPED, Outcome.CHANGED, Outcome.DROPPED, Outcome.DECIDE
