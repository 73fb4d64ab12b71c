"""AKS clusters, created or attached, and what targets on Kubernetes have in common."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from mldeploy.manifest.base import (
    ArmId,
    Count,
    Items,
    Labels,
    Location,
    Pattern,
    Positive,
    Section,
    Text,
    Uuid,
    VmSize,
    Zone,
)

Purpose = Literal["fast_prod", "dense_prod", "dev_test"]
ClusterName = Annotated[
    Text,
    Pattern(r"[a-zA-Z0-9]([a-zA-Z0-9_-]{0,61}[a-zA-Z0-9])?", "1-63 letters, digits, inner hyphens and '_'"),
]
Cidr = Annotated[Text, Pattern(r"[0-9a-fA-F.:]+/[0-9]{1,3}", "a range of addresses such as 10.0.0.0/16")]
Time = Annotated[Text, Pattern(r"([01][0-9]|2[0-3]):[0-5][0-9]", "a time of day such as 02:00")]
GroupName = Annotated[
    Text, Pattern(r"[-\w._()]{0,89}[-\w_()]", "1-90 letters, digits and -._(), not ending in '.'")
]


class NodePool(Section):
    """An extra pool of nodes."""

    name: Annotated[
        Text, Pattern(r"[a-z][a-z0-9]{0,11}", "1-12 lowercase letters and digits, beginning with a letter")
    ]
    """Its name."""
    vm_size: VmSize
    """The nodes' VM size, `Standard_NC4as_T4_v3`."""
    min_count: Annotated[int, Field(ge=0, le=1000)] = 0
    """The autoscaler's lower bound; 0 costs nothing while idle."""
    max_count: Annotated[int, Field(ge=1, le=1000)] = 3
    """The upper bound."""
    spot: bool = False
    """Whether Azure may take the nodes away; only pods that tolerate it run there."""
    gpu: bool = False
    """Whether only pods that ask for a GPU run there."""


class Maintenance(Section):
    """When planned upgrades happen."""

    day: Literal["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"] = "Sunday"
    """The weekday."""
    start: Time = "02:00"
    """The start, UTC."""


class AksCreate(Section):
    """A cluster to create. v1: `AksCompute.provisioning_configuration`."""

    cluster_name: ClusterName | None = None
    """Its name. Default: made from the project's, stack's and target's names."""
    location: Location | None = None
    """The Azure region. Default: `azure.location`."""
    agent_count: Annotated[int, Field(ge=1, le=1000)] = 3
    """Nodes at first; the autoscaler takes over from there. Times vCPUs it must be 12 or more, except for
    `dev_test`."""
    max_count: Annotated[int, Field(ge=1, le=1000)] | None = None
    """The most nodes for services. Default: three times `agent_count`."""
    vm_size: VmSize = "Standard_D4s_v5"
    """The nodes' VM size."""
    vcpus: Positive | None = None
    """The vCPUs of one node, for a VM size that is too new to be known."""
    cluster_purpose: Purpose = "fast_prod"
    """As in v1; `dev_test` waives the 12 vCPUs and the paid control plane."""
    system_vm_size: VmSize = "Standard_D2s_v5"
    """The VM size of the system nodes."""
    kubernetes_version: (
        Annotated[Text, Pattern(r"1\.[0-9]{2}(\.[0-9]{1,2})?", '"1.NN" or "1.NN.P", in quotes')] | None
    ) = None
    """`"1.33"`. Default: AKS's own."""
    pools: Items[NodePool] = ()
    """Extra pools: GPU, spot."""
    zones: Items[Zone] = ()
    """Availability zones of the nodes."""
    private: bool = False
    """Whether the API server has a private address only."""
    authorized_ip_ranges: Items[Cidr] = ()
    """Who may reach a public API server. Default: everybody who can log in."""
    admin_group_ids: Items[Uuid] = ()
    """Entra groups whose members are cluster administrators."""
    subnet_id: ArmId | None = None
    """The nodes' subnet. Default: a network of AKS's own."""
    pod_cidr: Cidr = "10.244.0.0/16"
    """The pods' addresses."""
    service_cidr: Cidr = "10.0.0.0/16"
    """The services' addresses."""
    dns_service_ip: Text = "10.0.0.10"
    """The cluster DNS's address, inside `service_cidr`."""
    managed_prometheus: bool = False
    """Whether managed Prometheus collects the cluster's metrics."""
    azure_monitor_workspace_id: ArmId | None = None
    """An existing Azure Monitor workspace for `managed_prometheus`, in the cluster's region. Default: the stack creates
    one."""
    maintenance: Maintenance = Maintenance()
    """When planned upgrades happen."""
    protect: bool = False
    """Whether the cluster refuses to be deleted."""
    tags: Labels = Field(default_factory=dict)
    """Tags of the cluster and its pools."""


class AksAttach(Section):
    """An existing cluster. v1: `AksCompute.attach_configuration`."""

    resource_group: GroupName
    """Its resource group."""
    cluster_name: ClusterName
    """Its name."""
    subscription_id: Uuid | None = None
    """Its subscription. Default: the stack's."""
    cluster_purpose: Purpose = "fast_prod"
    """As in v1; the cluster's 12 vCPUs are checked unless it is `dev_test`."""
    vcpus: Positive | None = None
    """The vCPUs of one node, for a VM size that is too new to be known."""


class Quota(Section):
    """The most that a namespace may use."""

    cpu_cores: Annotated[float, Field(gt=0)] | None = None
    """CPU cores requested by all pods."""
    memory_gb: Annotated[float, Field(gt=0)] | None = None
    """Memory requested by all pods, in GB."""
    gpu_cores: Count | None = None
    """GPUs requested by all pods."""
    pods: Positive | None = None
    """Pods."""


class Gateway(Section):
    """A Gateway API gateway: an existing one, or with `class_name` one of the target's own."""

    name: Text
    """Its name."""
    class_name: Text | None = None
    """Creates the gateway, of this GatewayClass, with a listener for each service's TLS.
    Default: it exists."""
    namespace: Text | None = None
    """Its namespace. Default: that of the services."""
    listener: Text | None = None
    """The listener to attach to. Default: all that allow it."""
    host: Text | None = None
    """The host name that services are reached under. Default: the gateway's address."""
