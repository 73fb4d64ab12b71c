"""Arguments of an AKS cluster."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pulumi

from components.base import ComponentArgs

_POD_RANGE, _SERVICE_RANGE, _DNS = "10.244.0.0/16", "10.0.0.0/16", "10.0.0.10"


@dataclass(frozen=True, kw_only=True)
class Attach:
    """An existing cluster, which this stack never changes."""

    resource_group: str
    """Its resource group."""
    cluster_name: str
    """Its name."""
    cluster_purpose: str = "fast_prod"
    """`fast_prod`, `dense_prod` or `dev_test`; 12 vCPUs are checked unless it is `dev_test`."""
    vcpus: int | None = None
    """vCPUs of one node, for a VM size whose name does not say."""
    subscription_id: str | None = None
    """Its subscription. Default: that of the stack."""


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


@dataclass(frozen=True, kw_only=True)
class AksClusterArgs(ComponentArgs):
    """Arguments of :class:`AksCluster`. Either `attach`, or the rest."""

    attach: Attach | None = None
    """An existing cluster to use."""
    resource_group: pulumi.Input[str] | None = None
    """Where the cluster is created."""
    cluster_name: str = ""
    """The cluster's name."""
    location: pulumi.Input[str] | None = None
    """The Azure region."""
    agent_count: int = 3
    """Nodes at first; the autoscaler takes over from there."""
    max_count: int | None = None
    """The most nodes for services. Default: three times `agent_count`."""
    vm_size: str = "Standard_D4s_v5"
    """The nodes' VM size."""
    vcpus: int | None = None
    """vCPUs of one node, for a VM size whose name does not say."""
    cluster_purpose: str = "fast_prod"
    """`fast_prod`, `dense_prod` or `dev_test`, as in v1. `dev_test` waives the 12 vCPUs and a paid control plane."""
    system_vm_size: str = "Standard_D2s_v5"
    """The VM size of the two system nodes."""
    kubernetes_version: str | None = None
    """`1.NN`. Default: AKS's own default; upgrades follow the `patch` channel."""
    pools: Sequence[NodePool] = ()
    """Extra pools: GPU, spot."""
    zones: Sequence[str] = ()
    """Availability zones of the nodes: `1`, `2`, `3`."""
    private: bool = False
    """Whether the API server has a private address only."""
    authorized_ip_ranges: Sequence[str] = ()
    """Who may reach a public API server, as address ranges. Default: everybody who can log in."""
    admin_group_ids: Sequence[str] = ()
    """Entra groups whose members are cluster administrators."""
    subnet_id: pulumi.Input[str] | None = None
    """The nodes' subnet. Default: a network of AKS's own."""
    pod_cidr: str = _POD_RANGE
    """The pods' addresses (overlay: not of the network)."""
    service_cidr: str = _SERVICE_RANGE
    """The services' addresses."""
    dns_service_ip: str = _DNS
    """The cluster DNS's address, inside `service_cidr`."""
    log_analytics_id: pulumi.Input[str] | None = None
    """A Log Analytics workspace for container logs, in the same region."""
    managed_prometheus: bool = False
    """Whether managed Prometheus collects the cluster's metrics."""
    azure_monitor_workspace_id: pulumi.Input[str] | None = None
    """An existing Azure Monitor workspace for them. Default: one is created."""
    maintenance_day: str = "Sunday"
    """The weekday of planned upgrades."""
    maintenance_start: str = "02:00"
    """Their start, UTC."""
    deployer_principal_id: pulumi.Input[str] | None = None
    """Object id of who runs `up`, for the right to create objects. Without it, grant that yourself."""
    deployer_type: pulumi.Input[str] = "ServicePrincipal"
    """What the deployer is: `ServicePrincipal`, `User` or `Group`."""
    registry_id: pulumi.Input[str] | None = None
    """The registry that the nodes may pull from."""
    protect: bool = False
    """Whether the cluster refuses to be deleted."""
    tags: Mapping[str, str] = field(default_factory=dict[str, str])
    """Tags of the cluster and its pools."""
