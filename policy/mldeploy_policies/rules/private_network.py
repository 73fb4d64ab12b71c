"""Services and data are not on the internet."""

from __future__ import annotations

from collections.abc import Iterator

from pulumi_policy import ResourceValidationArgs

from mldeploy_policies.reading import GROUP, UNKNOWN, at
from mldeploy_policies.rule import Rule, Settings

_STORAGE = "azure-native:storage:StorageAccount"
_COMPUTE = "azure-native:machinelearningservices:Compute"
_CLUSTER = "azure-native:containerservice:ManagedCluster"


def check(args: ResourceValidationArgs, settings: Settings) -> Iterator[str]:
    if args.resource_type == GROUP:
        if at(args.props, "ipAddress.type") == "Public":
            yield "has a public address"
    elif args.resource_type == _STORAGE:
        action = at(args.props, "networkRuleSet.defaultAction", "Allow")
        if at(args.props, "publicNetworkAccess") != "Disabled" and action not in ("Deny", UNKNOWN):
            yield "can be reached from every network"
    elif args.resource_type == _COMPUTE:
        inner = at(args.props, "properties.properties", {})
        if at(inner, "enableNodePublicIp", True) is True and at(inner, "subnet") is None:
            yield "has nodes with public addresses"
    elif not at(args.props, "apiServerAccessProfile.enablePrivateCluster") and not at(
        args.props, "apiServerAccessProfile.authorizedIPRanges"
    ):
        yield "has an API server that can be reached from every network"


RULE = Rule(
    name="private-network",
    description="Container groups, storage accounts, API servers and batch nodes are not reachable from everywhere.",
    fix="Write subnet_id for ACI and batch, create: {private: true} or authorized_ip_ranges for AKS; own storage.",
    types=(GROUP, _STORAGE, _CLUSTER, _COMPUTE),
    check=check,
)
