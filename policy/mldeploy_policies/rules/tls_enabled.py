"""Clients and services talk over TLS."""

from __future__ import annotations

from collections.abc import Iterator

from pulumi_policy import ResourceValidationArgs, Severity

from mldeploy_policies.reading import EDGE, GROUP, REPLICA, ROLLOUT, at, scoring
from mldeploy_policies.rule import Rule, Settings


def check(args: ResourceValidationArgs, settings: Settings) -> Iterator[str]:
    if args.resource_type == ROLLOUT:
        if not at(args.props, "public_tls"):
            yield "is reached without TLS"
        return
    for container in scoring(args.resource_type, args.props):
        if not container.setting("ssl"):
            yield f"{container.name} is reached without TLS"


RULE = Rule(
    name="tls-enabled",
    description="Every service is reached over TLS.",
    fix="Write ssl: {cname: ..., cert: {keyvault: ...}, key: {keyvault: ...}}, or an issuer on Kubernetes.",
    severity=Severity.HIGH,
    types=(GROUP, REPLICA, ROLLOUT, EDGE),
    check=check,
)
