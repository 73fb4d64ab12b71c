"""AKS clusters: created or attached, large enough, with a consistent network."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from pathlib import Path

from mldeploy.manifest.aks import AksCreate
from mldeploy.manifest.errors import shown
from mldeploy.manifest.nodes import Path as NodePath
from mldeploy.manifest.rules.draft import Draft
from mldeploy.manifest.targets import AksTarget
from mldeploy.manifest.validation import Fault
from mldeploy.manifest.vm_sizes import LEAST_VCPUS, has_gpu, is_fpga, vcpus

_OWN_POOLS = ("system", "services")


def check(draft: Draft, root: Path) -> Iterator[Fault]:  # noqa: ARG001
    """Every AKS target, and whether its nodes can hold its services."""
    for name, target in draft.targets.items():
        if not isinstance(target, AksTarget):
            continue
        path: NodePath = ("targets", name)
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


def fpga(size: str) -> str:
    """Why a VM size with an FPGA is refused."""
    return (
        f"{shown(size)} has an FPGA; Azure ML's FPGA service is retired: "
        "use a GPU size, or ONNX Runtime on CPU"
    )


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
