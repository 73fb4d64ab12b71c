"""Services ask for a key."""

from __future__ import annotations

from collections.abc import Iterator

from pulumi_policy import ResourceValidationArgs, Severity

from mldeploy_policies.reading import ROLLOUT, SERVICES, UNKNOWN, at, given, scoring
from mldeploy_policies.rule import Rule, Settings

_BATCH = "azure-native:machinelearningservices:BatchEndpoint"


def check(args: ResourceValidationArgs, settings: Settings) -> Iterator[str]:
    if args.resource_type == ROLLOUT and not given(args.props, "key"):
        yield "answers requests without a key"
    if args.resource_type == _BATCH and at(args.props, "properties.authMode", "Key") not in (
        "AADToken",
        UNKNOWN,
    ):
        yield "takes jobs from everybody who has a key of it"
    for container in scoring(args.resource_type, args.props):
        if not container.on("auth_enabled"):
            yield f"{container.name} answers requests without a key"


RULE = Rule(
    name="auth-enabled",
    description="Every service asks for a key.",
    fix="Write auth_enabled: true.",
    severity=Severity.HIGH,
    types=(*SERVICES, ROLLOUT, _BATCH),
    check=check,
)
