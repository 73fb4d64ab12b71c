"""The steps of a deployment on a hub: put it in front of the one it follows, change it, remove it, wait for
devices.

A deployment's content cannot change, so new content is a new deployment beside the old one, which is removed
after. Of two deployments that match a device, the hub takes the one with the higher priority. So a deployment
has the priority P of the manifest, and P + 1 when it takes over from another one; whatever it follows is put
back to P first.

A label of ours, :data:`CLAIM`, says which creation an object belongs to: a deployment that was adopted by a
later creation (content A, then B, then A again) is not removed when the earlier creation is.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, cast

from mldeploy.edge import content_digest
from mldeploy.provider.edge.client import HubClient, HubError
from mldeploy.provider.edge.fields import EdgeWait

CLAIM = "mldeploy-claim"
_DIGITS = 12
_ROUNDS = 6
_MUTABLE = ("labels", "targetCondition", "priority", "metrics")


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What a deployment shall be."""

    name: str
    digest: str
    content: Mapping[str, Any]
    condition: str
    priority: int
    labels: Mapping[str, str]
    metrics: Mapping[str, str]
    claim: str

    @property
    def ident(self) -> str:
        """The deployment's id on the hub: the name and the content's digest."""
        return f"{self.name}-{self.digest[:_DIGITS]}"

    def mutable(self, priority: int) -> dict[str, Any]:
        """The properties that can change, as the hub has them."""
        return {
            "labels": {**self.labels, CLAIM: self.claim},
            "targetCondition": self.condition,
            "priority": priority,
            "metrics": {"queries": dict(self.metrics)},
        }


@dataclass(frozen=True)
class Counts:
    """The hub's own metrics of a deployment, in devices. The hub counts every few minutes."""

    targeted: int
    applied: int
    succeeded: int
    failed: int

    @classmethod
    def of(cls, found: Mapping[str, Any]) -> Counts:
        """From the hub's answer; a metric that it has not computed yet is 0."""
        results = _part(_part(found, "systemMetrics"), "results")
        names = ("targetedCount", "appliedCount", "reportedSuccessfulCount", "reportedFailedCount")
        return cls(*(int(results.get(name) or 0) for name in names))

    def __str__(self) -> str:
        return (
            f"{self.targeted} devices targeted, {self.applied} applied, {self.succeeded} report success, "
            f"{self.failed} report failure"
        )


def family(hub: HubClient, name: str) -> dict[str, dict[str, Any]]:
    """The deployments on the hub that creations under ``name`` made, by id."""
    pattern = member_pattern(name)
    return {str(found["id"]): found for found in hub.list() if pattern.fullmatch(str(found["id"]))}


def member_pattern(name: str) -> re.Pattern[str]:
    """The ids that :func:`place` gives under ``name``."""
    return re.compile(rf"{re.escape(name)}-[0-9a-f]{{{_DIGITS}}}(-[0-9a-f]{{8}})?")


def place(hub: HubClient, wanted: Wanted) -> tuple[str, list[str]]:
    """Create the deployment, or take the equal one that is there, in front of all others of its name.

    Returns:
        Its id, and the ids of those it is in front of.

    Raises:
        HubError: the hub refused, or somebody else keeps changing the same deployments.
    """
    members = family(hub, wanted.name)
    ident = wanted.ident
    if ident in members and content_digest(members[ident]["content"]) != wanted.digest:
        ident = f"{ident}-{wanted.claim}"
    others = sorted(members.keys() - {ident})
    for other in others:
        if int(members[other].get("priority") or 0) > wanted.priority:
            change(hub, other, lambda found: _mutable(found) | {"priority": wanted.priority})
    mutable = wanted.mutable(wanted.priority + 1 if others else wanted.priority)
    for _ in range(_ROUNDS):
        if ident not in members:
            body = {"id": ident, "schemaVersion": "2.0", "content": wanted.content, **mutable}
            if hub.create(body) is not None:
                return ident, others
        # It is there: the answer to our own creation was lost, or an earlier creation made the same content.
        found = hub.get(ident)
        if found is None:
            members.pop(ident, None)
        elif content_digest(found["content"]) != wanted.digest:
            ident = f"{wanted.ident}-{wanted.claim}"
        elif change(hub, ident, lambda _: mutable) is not None:
            return ident, others
    raise HubError(f"hub {hub.host}: deployment {ident!r} keeps being changed by somebody else")


def change(
    hub: HubClient, ident: str, make: Callable[[dict[str, Any]], dict[str, Any]]
) -> dict[str, Any] | None:
    """Set labels, condition, priority and metrics to what ``make`` makes of the current deployment.

    Returns:
        The deployment as it is then, or None when it is gone.

    Raises:
        HubError: the hub refused, or somebody else keeps changing it.
    """
    for _ in range(_ROUNDS):
        found = hub.get(ident)
        if found is None:
            return None
        new = make(found)
        if new == _mutable(found):
            return found
        # The hub refuses another content, and one that is left out counts as another.
        kept = {key: found[key] for key in ("id", "schemaVersion", "content") if key in found}
        changed = hub.update({**kept, **new}, str(found["etag"]))
        if changed is not None:
            return changed
    raise HubError(f"hub {hub.host}: deployment {ident!r} keeps being changed by somebody else")


def remove(hub: HubClient, ident: str, claim: str) -> bool:
    """Delete the deployment when it is still this creation's; whether it is gone."""
    for _ in range(_ROUNDS):
        found = hub.get(ident)
        if found is None:
            return True
        if labels_of(found).get(CLAIM, claim) != claim:
            return False
        if hub.delete(ident, str(found["etag"])):
            return True
    raise HubError(f"hub {hub.host}: deployment {ident!r} keeps being changed by somebody else")


def labels_of(found: Mapping[str, Any]) -> dict[str, str]:
    """The labels of the hub's answer, which may be null."""
    return _part(found, "labels")


def _part(found: Mapping[str, Any], key: str) -> dict[str, Any]:
    return dict(cast("Mapping[str, Any]", found.get(key) or {}))


def metrics_of(found: Mapping[str, Any]) -> dict[str, str]:
    """The queries of the custom metrics."""
    return _part(_part(found, "metrics"), "queries")


def _mutable(found: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "labels": labels_of(found),
        "targetCondition": found.get("targetCondition") or "",
        "priority": int(found.get("priority") or 0),
        "metrics": {"queries": metrics_of(found)},
    }


class NotRolledOutError(Exception):
    """The devices did not get there in time."""


def await_devices(
    hub: HubClient,
    ident: str,
    wait: EdgeWait,
    *,
    clock: Callable[[], float],
    pause: Callable[[float], bool],
    status: Callable[[str], None],
) -> Counts:
    """Wait until enough devices report success.

    Raises:
        NotRolledOutError: the time is over, too many devices report failure, the deployment is gone, or the
        engine wants
            to stop.
    """
    start, step = clock(), 0.25
    while True:
        found = hub.get(ident)
        if found is None:
            raise NotRolledOutError(f"deployment {ident!r} was removed while waiting for its devices")
        counts = Counts.of(found)
        status(str(counts))
        if counts.targeted and counts.succeeded >= math.ceil(counts.targeted * wait.reported / 100):
            return counts
        if wait.failed is not None and counts.failed > counts.targeted * wait.failed / 100:
            raise NotRolledOutError(f"more than {wait.failed:g} % of the devices report failure: {counts}")
        left = wait.timeout - (clock() - start)
        if left <= 0:
            if not counts.targeted:
                return counts
            wanted = f"{wait.reported:g} % of the devices did not report success within {wait.timeout:g} s"
            raise NotRolledOutError(f"{wanted}: {counts}")
        if pause(min(step, left)):
            raise NotRolledOutError(f"cancelled while waiting for devices: {counts}")
        step = min(step * 1.5, 15.0)
