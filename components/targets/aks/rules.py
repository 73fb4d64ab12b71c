"""What an AKS cluster must be, known before the first resource. Pure functions."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Sequence

from components.targets.aks.args import AksClusterArgs, NodePool
from components.targets.aks.vm_sizes import check_vcpus

PURPOSES = ("fast_prod", "dense_prod", "dev_test")
_POOL_NAME = re.compile(r"[a-z][a-z0-9]{0,11}")


def validate(args: AksClusterArgs) -> None:
    """Everything that can be known before the first resource.

    Raises:
        ValueError: what is wrong, and what is allowed.
    """
    purpose = args.attach.cluster_purpose if args.attach else args.cluster_purpose
    if purpose not in PURPOSES:
        raise ValueError(f"cluster_purpose is {purpose!r}; allowed: {', '.join(PURPOSES)}")
    if args.attach is not None:
        return
    if args.resource_group is None or args.location is None:
        raise ValueError("resource_group and location are required to create a cluster")
    if not re.fullmatch(r"[a-zA-Z0-9]([a-zA-Z0-9_-]{0,61}[a-zA-Z0-9])?", args.cluster_name):
        raise ValueError(
            f"cluster_name is {args.cluster_name!r}; allowed: 1-63 letters, digits, hyphens and _"
        )
    if args.agent_count < 1 or (args.max_count or args.agent_count) < args.agent_count:
        raise ValueError(f"agent_count is {args.agent_count}; allowed: at least 1 and at most max_count")
    check_vcpus(args.agent_count, args.vm_size, args.cluster_purpose, args.vcpus)
    if args.kubernetes_version and not re.fullmatch(r"1\.\d{2}(\.\d{1,2})?", args.kubernetes_version):
        raise ValueError(f"kubernetes_version is {args.kubernetes_version!r}; allowed: 1.NN or 1.NN.P")
    if args.private and args.authorized_ip_ranges:
        raise ValueError("authorized_ip_ranges is for a public API server; this cluster is private")
    _validate_pools(args.pools, args.zones)
    _validate_network(args)


def _validate_pools(pools: Sequence[NodePool], zones: Sequence[str]) -> None:
    for zone in zones:
        if zone not in ("1", "2", "3"):
            raise ValueError(f"zones: {zone!r}; allowed: 1, 2, 3")
    names = ["system", "services"]
    for pool in pools:
        if not _POOL_NAME.fullmatch(pool.name) or pool.name in names:
            raise ValueError(
                f"pools: {pool.name!r}; allowed: 1-12 lowercase letters and digits, each name once"
            )
        if not 0 <= pool.min_count <= pool.max_count <= 1000 or pool.max_count < 1:
            raise ValueError(
                f"pools.{pool.name}: {pool.min_count} to {pool.max_count} nodes; allowed: 0 to 1000"
            )
        names.append(pool.name)


def _validate_network(args: AksClusterArgs) -> None:
    try:
        pods, services = ipaddress.ip_network(args.pod_cidr), ipaddress.ip_network(args.service_cidr)
        dns = ipaddress.ip_address(args.dns_service_ip)
        for allowed in args.authorized_ip_ranges:
            ipaddress.ip_network(allowed)
    except ValueError as error:
        raise ValueError(f"pod_cidr, service_cidr, dns_service_ip, authorized_ip_ranges: {error}") from None
    if pods.overlaps(services):
        raise ValueError(f"pod_cidr {pods} overlaps service_cidr {services}")
    if dns not in services:
        raise ValueError(f"dns_service_ip {dns} is not in service_cidr {services}")
