"""Services and data are not on the internet."""

from __future__ import annotations

from collections.abc import Iterator

from pulumi_policy import ResourceValidationArgs

from mldeploy_policies.reading import GROUP, UNKNOWN, at
from mldeploy_policies.rule import Rule, Settings

_STORAGE = "azure-native:storage:StorageAccount"
_CLUSTER = "azure-native:containerservice:ManagedCluster"


def check(args: ResourceValidationArgs, settings: Settings) -> Iterator[str]:
    if args.resource_type == GROUP:
        if at(args.props, "ipAddress.type") == "Public":
            yield "has a public address"
    elif args.resource_type == _STORAGE:
        action = at(args.props, "networkRuleSet.defaultAction", "Allow")
        if at(args.props, "publicNetworkAccess") != "Disabled" and action not in ("Deny", UNKNOWN):
            yield "can be reached from every network"
    elif not at(args.props, "apiServerAccessProfile.enablePrivateCluster") and not at(
        args.props, "apiServerAccessProfile.authorizedIPRanges"
    ):
        yield "has an API server that can be reached from every network"


RULE = Rule(
    name="private-network",
    description="Container groups, storage accounts and API servers are not reachable from everywhere.",
    fix="Write subnet_id for ACI, create: {private: true} or authorized_ip_ranges for AKS, your own storage account.",
    types=(GROUP, _STORAGE, _CLUSTER),
    check=check,
)
