"""A cluster of others: which one, and what it must have."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from components.foundation import outputs
from components.targets.aks.args import Attach
from components.targets.aks.vm_sizes import check_vcpus, vcpus


def kubelet(profile: Mapping[str, Any] | None) -> str:
    """The object id of the nodes' identity."""
    return str(outputs.field((profile or {})["kubeletidentity"], "object_id"))


def check(attach: Attach, pools: Sequence[Any] | None, issuer: Any, security: Any) -> None:
    """What a cluster of others must have, before anything uses it.

    Raises:
        ValueError: it is too small, or lacks what pods log in to Azure with.
    """
    check_attached(attach, pools or [])
    place = f"--resource-group {attach.resource_group} --name {attach.cluster_name}"
    if not issuer_of(issuer):
        raise ValueError(
            f"cluster {attach.cluster_name!r} has no OIDC issuer (oidcIssuerProfile.enabled), which services log in to "
            f"Azure with: `az aks update {place} --enable-oidc-issuer --enable-workload-identity`"
        )
    if outputs.field(outputs.field(security, "workload_identity"), "enabled") is False:
        raise ValueError(
            f"cluster {attach.cluster_name!r} has no workload identity (securityProfile.workloadIdentity.enabled), "
            f"which services log in to Azure with: `az aks update {place} --enable-workload-identity`"
        )


def kubelet_of(attach: Attach, profile: Mapping[str, Any] | None) -> str:
    """The object id of the identity that its nodes pull with.

    Raises:
        ValueError: they have none.
    """
    if not profile or "kubeletidentity" not in profile:
        raise ValueError(
            f"cluster {attach.cluster_name!r} pulls with a service principal, not with a managed identity: give it the "
            "role AcrPull on the registry, or move it: `az aks update --enable-managed-identity`"
        )
    return kubelet(profile)


def issuer_of(profile: Any) -> str:
    """The address of the issuer of its pods' tokens; empty without one."""
    # The API writes issuerURL, which the SDK turns into issuer_url.
    return str(outputs.field(profile, "issuer_url") or outputs.field(profile, "issuerURL") or "")


def check_attached(attach: Attach, pools: Sequence[Any]) -> int:
    """v1's rule on what the cluster really has.

    Raises:
        ValueError: fewer than 12 vCPUs; the message lists the pools.
    """
    found = [
        (
            str(outputs.field(pool, "name")),
            int(outputs.field(pool, "count") or 0),
            str(outputs.field(pool, "vm_size")),
        )
        for pool in pools
    ]
    modes = [outputs.field(pool, "mode") for pool in pools]
    shown = [one for one, mode in zip(found, modes, strict=True) if mode != "System"] or found
    total = sum(count * (attach.vcpus or vcpus(size)) for _, count, size in shown)
    listed = ", ".join(f"{name}: {count} x {size}" for name, count, size in shown)
    try:
        return check_vcpus(1, attach.cluster_name, attach.cluster_purpose, known=total or -1)
    except ValueError:
        raise ValueError(
            f"cluster {attach.cluster_name!r} has {total} vCPUs ({listed}); a production cluster needs at least 12: "
            "scale it, or attach it with cluster_purpose dev_test"
        ) from None
