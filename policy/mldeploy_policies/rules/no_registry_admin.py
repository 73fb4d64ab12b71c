"""Nobody shares a password of the registry."""

from __future__ import annotations

from collections.abc import Iterator

from pulumi_policy import ResourceValidationArgs, Severity

from mldeploy_policies.reading import at
from mldeploy_policies.rule import Rule, Settings


def check(args: ResourceValidationArgs, settings: Settings) -> Iterator[str]:
    if at(args.props, "adminUserEnabled") is True:
        yield "has an admin user, whose password everybody who knows it shares"
    if at(args.props, "anonymousPullEnabled") is True:
        yield "gives images to everybody"


RULE = Rule(
    name="no-registry-admin",
    description="Container registries have no admin user and no anonymous pull.",
    fix="Pull with a managed identity.",
    severity=Severity.HIGH,
    types=("azure-native:containerregistry:Registry",),
    check=check,
)
