"""Container logs of a cluster: the rule and the association without which the agent sends nothing.

The agent logs in with the cluster's identity (`useAADAuth`) and takes what to collect from a data collection rule; the
cluster's add-on alone collects nothing. Source: Microsoft's template "Enable monitoring for Kubernetes clusters" (Azure
Monitor docs), whose names for stream, extension and association these are. The older login with the workspace's key,
which needed no rule, ended in September 2026.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import pulumi
from pulumi_azure_native import monitor

from components import naming
from components.base import Component

# The service's own limit for rules.
_NAME_LIMIT: Final = 44
_STREAM: Final = "Microsoft-ContainerInsights-Group-Default"
_DESTINATION: Final = "ciworkspace"
_EXTENSION: Final = "ContainerInsightsExtension"


def collect_logs(
    parent: Component,
    name: str,
    *,
    cluster_id: pulumi.Input[str],
    cluster_name: str,
    resource_group: pulumi.Input[str],
    location: pulumi.Input[str],
    workspace_id: pulumi.Input[str],
    tags: Mapping[str, str],
) -> pulumi.Output[str]:
    """Send container logs, events and inventory to a Log Analytics workspace, which must be in ``location``.

    Args:
        parent: the cluster's component.
        name: its name, which the children's names begin with.
        cluster_id: the cluster's resource id.
        cluster_name: the cluster's name: part of the rule's.
        resource_group: where the rule is created.
        location: the Azure region of cluster and workspace.
        workspace_id: the workspace's resource id.
        tags: tags of the rule.

    Returns:
        The rule's id, known once it applies.
    """
    rule = monitor.DataCollectionRule(
        f"{name}-logs",
        resource_group_name=resource_group,
        data_collection_rule_name=naming.dns_label("msci", cluster_name, limit=_NAME_LIMIT),
        location=location,
        kind="Linux",
        data_sources=_sources(),
        destinations=monitor.DataCollectionRuleDestinationsArgs(
            log_analytics=[
                monitor.LogAnalyticsDestinationArgs(name=_DESTINATION, workspace_resource_id=workspace_id)
            ]
        ),
        data_flows=[monitor.DataFlowArgs(streams=[_STREAM], destinations=[_DESTINATION])],
        description="Container logs of an AKS cluster",
        tags=dict(tags),
        opts=parent.child(),
    )
    association = monitor.DataCollectionRuleAssociation(
        f"{name}-logs-association",
        resource_uri=cluster_id,
        association_name=_EXTENSION,
        data_collection_rule_id=rule.id,
        description="Without it, no log of the cluster is collected",
        opts=parent.child(),
    )
    return pulumi.Output.all(rule.id, association.id).apply(lambda pair: str(pair[0]))


def _sources() -> monitor.DataCollectionRuleDataSourcesArgs:
    """Container logs in their second schema, events and inventory of all namespaces."""
    return monitor.DataCollectionRuleDataSourcesArgs(
        extensions=[
            monitor.ExtensionDataSourceArgs(
                name=_EXTENSION,
                streams=[_STREAM],
                extension_name="ContainerInsights",
                extension_settings={
                    "dataCollectionSettings": {
                        "interval": "1m",
                        "namespaceFilteringMode": "Off",
                        "enableContainerLogV2": True,
                    }
                },
            )
        ]
    )
