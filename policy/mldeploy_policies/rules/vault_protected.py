"""Secrets cannot be lost, and access to them is by role."""

from __future__ import annotations

from collections.abc import Iterator

from pulumi_policy import ResourceValidationArgs, Severity

from mldeploy_policies.reading import at
from mldeploy_policies.rule import Rule, Settings


def check(args: ResourceValidationArgs, settings: Settings) -> Iterator[str]:
    if at(args.props, "properties.enablePurgeProtection") in (None, False):
        yield "can be purged for good"
    if at(args.props, "properties.enableRbacAuthorization") in (None, False):
        yield "gives access by policies of its own, not by roles"


RULE = Rule(
    name="vault-protected",
    description="Key vaults have purge protection and role-based access.",
    fix="Set enablePurgeProtection and enableRbacAuthorization to true.",
    severity=Severity.HIGH,
    types=("azure-native:keyvault:Vault",),
    check=check,
)
