"""A new version proves itself before traffic moves."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from pulumi_policy import PolicyResource

from mldeploy_policies.reading import GROUP, REPLICA, UNKNOWN, at, scoring
from mldeploy_policies.rule import Rule, Settings

_GATES = ("mldeploy:service:Gate", "mldeploy:kubernetes:Gate", "mldeploy:azure:GroupGate")
_SERVED = (REPLICA, "mldeploy:kubernetes:Rollout")


def check(resources: Sequence[PolicyResource], settings: Settings) -> Iterator[tuple[str, str | None]]:
    gated = set()
    for one in resources:
        golden = at(one.props, "golden")
        if one.resource_type in _GATES and (golden is UNKNOWN or golden):
            gated.add(at(one.props, "service"))
    for one in resources:
        for service in _served(one):
            if service is not UNKNOWN and service not in gated:
                yield f"{one.name}: service {service} has no golden requests", one.urn


def _served(one: PolicyResource) -> list[Any]:
    if one.resource_type in _SERVED:
        return [at(one.props, "service")]
    if one.resource_type == GROUP:
        return [container.setting("service") for container in scoring(one.resource_type, one.props)]
    return []


RULE = Rule(
    name="gated-updates",
    description="Every service has golden requests that a new version must answer.",
    fix="Write golden: [{request: ..., response: ...}].",
    check_stack=check,
)
