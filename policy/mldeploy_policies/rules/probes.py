"""Kubernetes can tell a broken replica."""

from __future__ import annotations

from collections.abc import Iterator

from pulumi_policy import ResourceValidationArgs

from mldeploy_policies.reading import DEPLOYMENT, GROUP, at, scoring
from mldeploy_policies.rule import Rule, Settings


def check(args: ResourceValidationArgs, settings: Settings) -> Iterator[str]:
    for container in scoring(args.resource_type, args.props):
        missing = [name for name in ("readinessProbe", "livenessProbe") if at(container.raw, name) is None]
        if missing:
            yield f"container {container.name} has no {' and no '.join(missing)}"


RULE = Rule(
    name="probes",
    description="Scoring containers have a readiness and a liveness probe.",
    fix="Deploy through mldeploy, which sets both; probes: {...} tunes them.",
    types=(DEPLOYMENT, GROUP),
    check=check,
)
