"""`ClusterMetrics`: managed Prometheus for a cluster, as far as it is outside of the cluster itself.

Source: the resources of Microsoft's own template, "Enable monitoring for Kubernetes clusters" (Azure Monitor docs).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Final

import pulumi
from pulumi_azure_native import monitor

from components import naming
from components.base import Component, ComponentArgs

# The service's own limit for endpoints and rules.
_NAME_LIMIT: Final = 44
_STREAM: Final = "Microsoft-PrometheusMetrics"
_DESTINATION: Final = "MonitoringAccount1"


@dataclass(frozen=True, kw_only=True)
class ClusterMetricsArgs(ComponentArgs):
    """Arguments of :class:`ClusterMetrics`."""

    cluster_id: pulumi.Input[str]
    """The cluster's resource id."""
    cluster_name: str
    """The cluster's name: part of the resources' names."""
    resource_group: pulumi.Input[str]
    """Where everything is created."""
    location: pulumi.Input[str]
    """The Azure region; an existing workspace must be in it."""
    workspace_id: pulumi.Input[str] | None = None
    """An existing Azure Monitor workspace. Default: one is created."""
    tags: Mapping[str, str] = field(default_factory=dict[str, str])
    """Tags of everything created."""


class ClusterMetrics(Component):
    """Where the Prometheus agent of a cluster sends its metrics: an Azure Monitor workspace, and the endpoint, rule and
    association that lead there.
    """

    group: ClassVar[str] = "azure"

    workspace_id: pulumi.Output[str]
    rule_id: pulumi.Output[str]

    def __init__(
        self, name: str, args: ClusterMetricsArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__(name, opts, args.customize)
        tags, label = dict(args.tags), naming.dns_label("msprom", args.cluster_name, limit=_NAME_LIMIT)
        workspace_id = self._workspace(name, args)
        endpoint = monitor.DataCollectionEndpoint(
            f"{name}-endpoint",
            resource_group_name=args.resource_group,
            data_collection_endpoint_name=label,
            location=args.location,
            kind="Linux",
            tags=tags,
            opts=self.child(),
        )
        rule = monitor.DataCollectionRule(
            f"{name}-rule",
            resource_group_name=args.resource_group,
            data_collection_rule_name=label,
            location=args.location,
            kind="Linux",
            data_collection_endpoint_id=endpoint.id,
            data_sources=monitor.DataCollectionRuleDataSourcesArgs(
                prometheus_forwarder=[
                    monitor.PrometheusForwarderDataSourceArgs(name="PrometheusDataSource", streams=[_STREAM])
                ]
            ),
            destinations=monitor.DataCollectionRuleDestinationsArgs(
                monitoring_accounts=[
                    monitor.MonitoringAccountDestinationArgs(
                        name=_DESTINATION, account_resource_id=workspace_id
                    )
                ]
            ),
            data_flows=[monitor.DataFlowArgs(streams=[_STREAM], destinations=[_DESTINATION])],
            description="Prometheus metrics of an AKS cluster",
            tags=tags,
            opts=self.child(),
        )
        association = monitor.DataCollectionRuleAssociation(
            f"{name}-association",
            resource_uri=args.cluster_id,
            association_name=label,
            data_collection_rule_id=rule.id,
            description="Without it, no metric of the cluster is collected",
            opts=self.child(),
        )
        rule_id = pulumi.Output.all(rule.id, association.id).apply(lambda pair: pair[0])
        self.publish({"workspace_id": workspace_id, "rule_id": rule_id})

    def _workspace(self, name: str, args: ClusterMetricsArgs) -> pulumi.Output[str]:
        if args.workspace_id is not None:
            return pulumi.Output.from_input(args.workspace_id)
        return monitor.AzureMonitorWorkspace(
            f"{name}-workspace",
            resource_group_name=args.resource_group,
            azure_monitor_workspace_name=naming.dns_label("amw", args.cluster_name, limit=63),
            location=args.location,
            tags=dict(args.tags),
            opts=self.child(),
        ).id
