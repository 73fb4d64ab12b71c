"""Storage is opened with identities."""

from __future__ import annotations

from collections.abc import Iterator

from pulumi_policy import ResourceValidationArgs, Severity

from mldeploy_policies.reading import at
from mldeploy_policies.rule import Rule, Settings


def check(args: ResourceValidationArgs, settings: Settings) -> Iterator[str]:
    if at(args.props, "allowSharedKeyAccess", True) is True:
        yield "can be opened with an account key"


RULE = Rule(
    name="no-account-keys",
    description="Storage accounts refuse account keys.",
    fix="Set allowSharedKeyAccess to false and use managed identities.",
    severity=Severity.HIGH,
    types=("azure-native:storage:StorageAccount",),
    check=check,
)
