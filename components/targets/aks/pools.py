"""The node pools of an AKS cluster, and when they are upgraded."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import pulumi
from pulumi_azure_native import containerservice as aks

from components import naming
from components.base import Component
from components.sdk.kubernetes import PoolDrain
from components.targets.aks.args import AksClusterArgs, NodePool

_NAME: Final = 12


@dataclass(frozen=True)
class Pools:
    """What was made."""

    workers: aks.AgentPool
    """The pool of services."""
    last: pulumi.Resource
    """The pool that was made last."""
    drains: Sequence[Callable[[pulumi.Input[str]], PoolDrain]]
    """Makes, with a kubeconfig, what drains each of them before it goes."""


def _physical(args: AksClusterArgs, pool: NodePool) -> pulumi.Output[str]:
    """1-12 lowercase letters and digits: the pool's name, and a hash of what cannot change in place."""
    zones, spot = ",".join(args.zones), str(pool.spot)
    return pulumi.Output.from_input(args.subnet_id or "").apply(
        lambda subnet: naming.alphanumeric(
            pool.name, scope="|".join((pool.vm_size, zones, spot, subnet)), limit=_NAME
        )
    )


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
) -> Pools:
    """The pool of services and the extra ones: one after the other, for a cluster takes one operation at a
    time."""
    made: list[pulumi.Resource] = []
    drains: list[Callable[[pulumi.Input[str]], PoolDrain]] = []

    def create(pool: NodePool, count: int) -> aks.AgentPool:
        found = aks.AgentPool(
            f"{name}-pool-{pool.name}",
            **_settings(args, pool, group, cluster, count),
            # The autoscaler owns the number of nodes: what it did is no drift. What cannot change in place is in the
            # name: a new pool comes beside the old one, which is drained before it goes.
            opts=parent.child(ignore_changes=["count"], delete_before_replace=False, depends_on=made[-1:]),
        )
        made.append(found)
        drains.append(
            lambda kubeconfig: PoolDrain(
                f"{name}-drain-{pool.name}",
                kubeconfig=kubeconfig,
                pool=found.name.apply(lambda text: text or ""),
                opts=parent.child(depends_on=[found]),
            )
        )
        return found

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
    return Pools(workers, made[-1], drains)


def _settings(
    args: AksClusterArgs, pool: NodePool, group: pulumi.Input[str], cluster: pulumi.Output[str], count: int
) -> dict[str, Any]:
    taints = ["kubernetes.azure.com/scalesetpriority=spot:NoSchedule"] if pool.spot else []
    taints += ["sku=gpu:NoSchedule"] if pool.gpu else []
    return {
        "resource_group_name": group,
        "resource_name_": cluster,
        "agent_pool_name": _physical(args, pool),
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
    after: pulumi.Resource,
) -> pulumi.Resource:
    """When upgrades of the cluster and of its nodes' systems happen. Returns the last."""
    for role, config in (
        ("upgrades", "aksManagedAutoUpgradeSchedule"),
        ("os", "aksManagedNodeOSUpgradeSchedule"),
    ):
        after = aks.MaintenanceConfiguration(
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
            opts=parent.child(depends_on=[after]),
        )
    return after
