"""The node pools of an AKS cluster, and when they are upgraded."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import pulumi
from pulumi_azure_native import containerservice as aks

from components.base import Component

if TYPE_CHECKING:
    from components.targets.aks.cluster import AksClusterArgs

_REPLACED: Final = ["vmSize", "scaleSetPriority", "availabilityZones", "vnetSubnetID", "maxPods"]


@dataclass(frozen=True, kw_only=True)
class NodePool:
    """An extra pool of nodes."""

    name: str
    """1-12 lowercase letters and digits."""
    vm_size: str
    """`Standard_NC4as_T4_v3`."""
    min_count: int = 0
    """The autoscaler's lower bound; 0 costs nothing while idle."""
    max_count: int = 3
    """The upper bound."""
    spot: bool = False
    """Whether Azure may take the nodes away; only pods that tolerate it run there."""
    gpu: bool = False
    """Whether only pods that ask for a GPU run there."""


def system_pool(args: AksClusterArgs) -> aks.ManagedClusterAgentPoolProfileArgs:
    """Nodes for the cluster's own pods; those of services do not get there."""
    production = args.cluster_purpose != "dev_test"
    return aks.ManagedClusterAgentPoolProfileArgs(
        name="system",
        mode="System",
        type="VirtualMachineScaleSets",
        count=2 if production else 1,
        vm_size=args.system_vm_size,
        os_type="Linux",
        os_sku="AzureLinux",
        max_pods=110,
        node_taints=["CriticalAddonsOnly=true:NoSchedule"],
        vnet_subnet_id=args.subnet_id,
        availability_zones=list(args.zones) or None,
        upgrade_settings=aks.AgentPoolUpgradeSettingsArgs(max_surge="33%"),
        tags=dict(args.tags),
    )


def create_pools(
    parent: Component,
    name: str,
    args: AksClusterArgs,
    group: pulumi.Input[str],
    cluster: pulumi.Output[str],
) -> aks.AgentPool:
    """The pool of services, which is returned, and the extra ones."""

    def create(pool: NodePool, count: int) -> aks.AgentPool:
        return aks.AgentPool(
            f"{name}-pool-{pool.name}",
            **_settings(args, pool, group, cluster, count),
            # The autoscaler owns the number of nodes: what it did is no drift. What cannot change in place makes a
            # new pool, and a pool's name is taken until the old one is gone.
            opts=parent.child(
                ignore_changes=["count"], replace_on_changes=_REPLACED, delete_before_replace=True
            ),
        )

    workers = create(
        NodePool(
            name="services",
            vm_size=args.vm_size,
            min_count=args.agent_count,
            max_count=args.max_count or 3 * args.agent_count,
        ),
        args.agent_count,
    )
    for pool in args.pools:
        create(pool, pool.min_count)
    return workers


def _settings(
    args: AksClusterArgs, pool: NodePool, group: pulumi.Input[str], cluster: pulumi.Output[str], count: int
) -> dict[str, Any]:
    taints = ["kubernetes.azure.com/scalesetpriority=spot:NoSchedule"] if pool.spot else []
    taints += ["sku=gpu:NoSchedule"] if pool.gpu else []
    return {
        "resource_group_name": group,
        "resource_name_": cluster,
        "agent_pool_name": pool.name,
        "mode": "User",
        "type": "VirtualMachineScaleSets",
        "count": count,
        "enable_auto_scaling": True,
        "min_count": pool.min_count,
        "max_count": pool.max_count,
        "vm_size": pool.vm_size,
        "os_type": "Linux",
        "os_sku": "Ubuntu" if pool.gpu else "AzureLinux",
        "max_pods": 110,
        "node_labels": {"mldeploy.io/pool": pool.name},
        "node_taints": taints or None,
        "scale_set_priority": "Spot" if pool.spot else "Regular",
        "scale_set_eviction_policy": "Delete" if pool.spot else None,
        "spot_max_price": -1 if pool.spot else None,
        "vnet_subnet_id": args.subnet_id,
        "availability_zones": list(args.zones) or None,
        "upgrade_settings": None if pool.spot else aks.AgentPoolUpgradeSettingsArgs(max_surge="33%"),
        "tags": dict(args.tags),
    }


def create_maintenance(
    parent: Component,
    name: str,
    args: AksClusterArgs,
    group: pulumi.Input[str],
    cluster: pulumi.Output[str],
) -> None:
    """When upgrades of the cluster and of its nodes' systems happen."""
    for role, config in (
        ("upgrades", "aksManagedAutoUpgradeSchedule"),
        ("os", "aksManagedNodeOSUpgradeSchedule"),
    ):
        aks.MaintenanceConfiguration(
            f"{name}-maintenance-{role}",
            resource_group_name=group,
            resource_name_=cluster,
            config_name=config,
            maintenance_window=aks.MaintenanceWindowArgs(
                duration_hours=4,
                start_time=args.maintenance_start,
                utc_offset="+00:00",
                schedule=aks.ScheduleArgs(
                    weekly=aks.WeeklyScheduleArgs(
                        day_of_week=aks.WeekDay(args.maintenance_day.capitalize()), interval_weeks=1
                    )
                ),
            ),
            opts=parent.child(),
        )
