"""`type: aks`: an AKS cluster, created or attached."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from typing import Annotated, Final, Literal

from pydantic import Field

from mldeploy.manifest.base import (
    ArmId,
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
from mldeploy.manifest.draft import Draft
from mldeploy.manifest.errors import shown
from mldeploy.manifest.kinds import cluster
from mldeploy.manifest.kinds.kind import Kind, Need
from mldeploy.manifest.kinds.on_azure import LOGIN, SDK, located, resource_id, tags, tags_of_target
from mldeploy.manifest.nodes import Path as NodePath
from mldeploy.manifest.service import Service
from mldeploy.manifest.validation import Fault
from mldeploy.manifest.vm_sizes import LEAST_VCPUS, fpga, has_gpu, is_fpga, vcpus

_OWN_POOLS = ("system", "services")

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


class AksTarget(cluster.ClusterTarget):
    """An AKS cluster, for production. v1: `AksCompute`."""

    create: AksCreate | None = None
    """A cluster of the stack's own; once created, many services share it."""
    attach: AksAttach | None = None
    """An existing cluster, which the stack never creates, changes or deletes."""
    load_balancer: Literal["public", "internal"] | None = None
    """Where services have their address, unless a gateway exists: on the internet, or in the cluster's network only.
    Default: a service with `ssl` is public, one without is internal, so that no key goes over the internet in clear."""
    tags: Labels = Field(default_factory=dict)
    """Tags of its resources."""


def _target(draft: Draft, name: str, target: AksTarget) -> Iterator[Fault]:
    """Created or attached, large enough, with a consistent network, and large enough nodes for its services."""
    path: NodePath = ("targets", name)
    yield from cluster.check(draft, name, target)
    yield from tags_of_target(draft, name)
    yield from _load_balancer(draft, name, target)
    if target.create is not None:
        yield from located(draft, name, target.create.location, ("create",))
    elif target.attach is not None:
        yield from _stack_located(draft, name)
    if target.create is not None and target.attach is not None:
        yield Fault(
            (*path, "attach"), "is given together with create; remove one (create: null in an overlay)"
        )
    elif target.create is None and target.attach is None:
        if not any(draft.lacks("targets", name, key) for key in ("create", "attach")):
            yield Fault(path, "has neither create nor attach; write one, create: {} for all defaults")
    elif target.create is not None:
        yield from _create((*path, "create"), target.create)
        yield from _fits(draft, name, target.create)


def _load_balancer(draft: Draft, name: str, target: AksTarget) -> Iterator[Fault]:
    if target.load_balancer is None:
        return
    path: NodePath = ("targets", name, "load_balancer")
    if target.gateway is not None and target.gateway.class_name is None:
        yield Fault(path, f"has no effect: the gateway {shown(target.gateway.name)} exists already")
    for key, service in draft.services_on(name).items():
        label = service.ssl.leaf_domain_label if service.ssl else None
        if target.load_balancer == "internal" and label is not None:
            why = f"{shown(label)} is a name on the internet, and the load balancer of {shown(name)} is internal"
            yield Fault(("services", key, "ssl", "leaf_domain_label"), why)


def _stack_located(draft: Draft, name: str) -> Iterator[Fault]:
    """The cluster is somewhere already; the stack's own registry and workspace are not."""
    if draft.azure.location or draft.lacks("azure", "", "location") or not draft.services_on(name):
        return
    if not any(getattr(one, "location", None) for one in draft.targets.values()):
        why = "needs azure: {location: …}, where the stack's registry and workspace are made"
        yield Fault(("targets", name, "attach"), why)


def _service(draft: Draft, name: str, service: Service) -> Iterator[Fault]:
    del draft
    yield from tags(("services", name, "tags"), service.tags)


def _create(path: NodePath, create: AksCreate) -> Iterator[Fault]:
    sizes = [("vm_size", create.vm_size), ("system_vm_size", create.system_vm_size)]
    for where, size in [((*path, key), size) for key, size in sizes] + [
        ((*path, "pools", index, "vm_size"), pool.vm_size) for index, pool in enumerate(create.pools)
    ]:
        if is_fpga(size):
            yield Fault(where, fpga(size))
    yield from _vcpus(path, create)
    if create.max_count is not None and create.max_count < create.agent_count:
        yield Fault(
            (*path, "max_count"), f"{create.max_count} is less than agent_count, {create.agent_count}"
        )
    names: list[str] = [*_OWN_POOLS]
    for index, pool in enumerate(create.pools):
        where = (*path, "pools", index)
        if pool.name in names:
            yield Fault((*where, "name"), f"{shown(pool.name)} is the name of another pool")
        names.append(pool.name)
        if pool.min_count > pool.max_count:
            yield Fault((*where, "min_count"), f"{pool.min_count} is more than max_count, {pool.max_count}")
        if pool.gpu and not has_gpu(pool.vm_size):
            yield Fault(
                (*where, "vm_size"),
                f"{shown(pool.vm_size)} has no GPU; allowed with gpu: sizes NC, ND, NG, NV",
            )
    yield from _network(path, create)
    yield from resource_id(
        (*path, "subnet_id"), create.subnet_id, "Microsoft.Network/virtualNetworks/subnets"
    )
    metrics = (*path, "azure_monitor_workspace_id")
    yield from resource_id(metrics, create.azure_monitor_workspace_id, "Microsoft.Monitor/accounts")
    if create.azure_monitor_workspace_id and not create.managed_prometheus:
        yield Fault(metrics, "has no effect without managed_prometheus: true")
    yield from tags((*path, "tags"), create.tags)


def _vcpus(path: NodePath, create: AksCreate) -> Iterator[Fault]:
    try:
        each = create.vcpus or vcpus(create.vm_size)
    except ValueError as error:
        yield Fault((*path, "vm_size"), str(error).replace("'", '"'))
        return
    total = create.agent_count * each
    if total < LEAST_VCPUS and create.cluster_purpose != "dev_test":
        enough = -(-LEAST_VCPUS // each)
        yield Fault(
            (*path, "agent_count"),
            f"{create.agent_count} x {each} vCPUs of {create.vm_size} are {total}; a production cluster "
            f"needs at least {LEAST_VCPUS}: agent_count {enough}, larger nodes, or cluster_purpose: dev_test",
        )


def _network(path: NodePath, create: AksCreate) -> Iterator[Fault]:
    if create.private and create.authorized_ip_ranges:
        yield Fault((*path, "authorized_ip_ranges"), "has no effect on a private cluster")
    for index, text in enumerate(create.authorized_ip_ranges):
        if _range(text) is None:
            yield Fault((*path, "authorized_ip_ranges", index), f"{shown(text)} is no range of addresses")
    found = {key: _range(getattr(create, key)) for key in ("pod_cidr", "service_cidr")}
    for key, network in found.items():
        if network is None:
            yield Fault(
                (*path, key), f"{shown(getattr(create, key))} is no range of addresses such as 10.0.0.0/16"
            )
    pods, services = found["pod_cidr"], found["service_cidr"]
    if pods is None or services is None:
        return
    if pods.overlaps(services):
        yield Fault((*path, "service_cidr"), f"{services} overlaps pod_cidr, {pods}")
    try:
        inside = ipaddress.ip_address(create.dns_service_ip) in services
    except ValueError:
        yield Fault((*path, "dns_service_ip"), f"{shown(create.dns_service_ip)} is no address")
        return
    if not inside:
        yield Fault((*path, "dns_service_ip"), f"{create.dns_service_ip} is not in service_cidr, {services}")


def _range(text: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network | None:
    try:
        return ipaddress.ip_network(text)
    except ValueError:
        return None


def _fits(draft: Draft, name: str, create: AksCreate) -> Iterator[Fault]:
    """Services that no node of the cluster could ever hold."""
    sizes = [create.vm_size, *(pool.vm_size for pool in create.pools)]
    try:
        largest = max(
            [create.vcpus or vcpus(create.vm_size), *(vcpus(pool.vm_size) for pool in create.pools)]
        )
    except ValueError:
        return
    for key, service in draft.services_on(name).items():
        if service.cpu_cores is not None and service.cpu_cores > largest:
            yield Fault(
                ("services", key, "cpu_cores"),
                f"{service.cpu_cores:g} is more than any node of {shown(name)} has, {largest}",
            )
        if service.gpu_cores and not any(has_gpu(size) for size in sizes):
            yield Fault(
                ("services", key, "gpu_cores"),
                f"no node of {shown(name)} has a GPU; add one: pools: [{{name: gpu, gpu: true, vm_size: …}}]",
            )


KIND: Final = Kind(
    model=AksTarget,
    traits=cluster.TRAITS,
    foundation="always",
    on_azure=True,
    service_names=cluster.SERVICE_NAMES,
    reserved=cluster.RESERVED,
    check_target=_target,
    check_service=_service,
    needs=(
        SDK,
        cluster.SDK,
        LOGIN,
        Need(
            "program",
            "kubelogin",
            "install https://azure.github.io/kubelogin/: AKS clusters ask for Entra tokens",
        ),
    ),
    v1=("AksCompute", "AksWebservice"),
)
