"""Clusters are administrated by people with names."""

from __future__ import annotations

from collections.abc import Iterator

from pulumi_policy import ResourceValidationArgs, Severity

from mldeploy_policies.reading import at
from mldeploy_policies.rule import Rule, Settings


def check(args: ResourceValidationArgs, settings: Settings) -> Iterator[str]:
    if at(args.props, "disableLocalAccounts") in (None, False):
        yield "has local administrator accounts"
    if at(args.props, "enableRBAC", True) is False:
        yield "has no role-based access control"


RULE = Rule(
    name="no-local-accounts",
    description="AKS clusters have no local accounts and use role-based access control.",
    fix="Set disableLocalAccounts to true; attach clusters that have it.",
    severity=Severity.HIGH,
    types=("azure-native:containerservice:ManagedCluster",),
    check=check,
)
