"""What `up` of a stack on Azure needs of the login and of the subscription, as far as the manifest says it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from mldeploy.manifest import Azure, Manifest, Target, makes_foundation
from mldeploy.manifest.kinds.aci import AciTarget
from mldeploy.manifest.kinds.aks import AksAttach, AksCreate, AksTarget
from mldeploy.manifest.kinds.batch import BatchTarget
from mldeploy.manifest.vm_sizes import vcpus
from mldeploy.provider.azure.roles import GRANTS_ROLES

CONTRIBUTOR: Final = "Contributor"
ASSIGN: Final = "Microsoft.Authorization/roleAssignments/write"
# What each part of the foundation is made of. The deployer's own rights to data are granted by `up` itself.
_PARTS: Final[dict[str, tuple[str, ...]]] = {
    "log_analytics": ("Microsoft.OperationalInsights/workspaces/write",),
    "app_insights": ("Microsoft.Insights/components/write",),
    "storage": ("Microsoft.Storage/storageAccounts/write",),
    "key_vault": ("Microsoft.KeyVault/vaults/write",),
    "registry": ("Microsoft.ContainerRegistry/registries/write",),
    "workspace": ("Microsoft.MachineLearningServices/workspaces/write",),
}
# What is made inside a part that exists already; the rest of it is left alone.
_INSIDE: Final[dict[str, tuple[str, ...]]] = {
    "storage": ("Microsoft.Storage/storageAccounts/blobServices/containers/write", ASSIGN),
    "registry": ("Microsoft.ContainerRegistry/registries/scheduleRun/action", ASSIGN),
    "workspace": (
        "Microsoft.MachineLearningServices/workspaces/datastores/write",
        "Microsoft.MachineLearningServices/workspaces/models/versions/write",
    ),
    "app_insights": ("Microsoft.Insights/components/read",),
    "log_analytics": ("Microsoft.OperationalInsights/workspaces/read",),
    "key_vault": ("Microsoft.KeyVault/vaults/read",),
}


@dataclass(frozen=True)
class Right:
    """An action on a scope, and the built-in role that has it."""

    scope: str
    """A resource's id; empty: the subscription."""
    action: str
    role: str


@dataclass(frozen=True)
class Cores:
    """vCPUs of a VM size in a region, at once and at most; ``service``: whose quota they count against."""

    where: str
    location: str
    vm_size: str
    now: int
    most: int
    service: str = "Microsoft.Compute"


@dataclass(frozen=True)
class Needs:
    """Everything, each once."""

    rights: tuple[Right, ...]
    namespaces: tuple[str, ...]
    cores: tuple[Cores, ...]
    groups: tuple[tuple[str, int, float], ...]
    """Container groups by region: how many, and with how many cores together."""


def needs(manifest: Manifest) -> Needs | None:
    """What the services of a manifest need; None where nothing of it is on Azure."""
    used = {name: manifest.targets[name] for name in {one.target for one in manifest.services.values()}}
    types = [target.type for target in used.values()]
    if not makes_foundation(manifest.azure, types):
        return None
    rights = dict.fromkeys(
        [*_foundation(manifest.azure), *(r for t in used.values() for r in _of(manifest, t))]
    )
    spaces = {right.action.partition("/")[0] for right in rights}
    if any(isinstance(target, AksTarget) and target.create for target in used.values()):
        spaces |= {"Microsoft.Compute", "Microsoft.Network"}  # of the nodes
    return Needs(
        tuple(rights),
        tuple(sorted(spaces - {"Microsoft.Authorization", "Microsoft.Resources"})),
        tuple(core for name, target in sorted(used.items()) for core in _cores(manifest, name, target)),
        tuple(_groups(manifest, used)),
    )


def _foundation(azure: Azure) -> Iterator[Right]:
    group = azure.resource_group.existing or ""
    if not group:
        yield Right("", "Microsoft.Resources/subscriptions/resourceGroups/write", CONTRIBUTOR)
    for part, actions in _PARTS.items():
        existing = getattr(azure, part).existing
        for action in _INSIDE[part] if existing else actions:
            yield Right(existing or group, action, GRANTS_ROLES if action == ASSIGN else CONTRIBUTOR)
    yield Right(group, "Microsoft.ManagedIdentity/userAssignedIdentities/write", CONTRIBUTOR)
    yield Right(group, ASSIGN, GRANTS_ROLES)


def _of(manifest: Manifest, target: Target) -> Iterator[Right]:
    group = manifest.azure.resource_group.existing or ""
    if isinstance(target, AciTarget):
        yield Right(group, "Microsoft.ContainerInstance/containerGroups/write", CONTRIBUTOR)
    elif isinstance(target, BatchTarget):
        space = manifest.azure.workspace.existing or group
        for kind in ("computes", "batchEndpoints", "batchEndpoints/deployments", "environments/versions"):
            yield Right(space, f"Microsoft.MachineLearningServices/workspaces/{kind}/write", CONTRIBUTOR)
    elif isinstance(target, AksTarget) and target.create is not None:
        for kind in ("managedClusters", "managedClusters/agentPools"):
            yield Right(group, f"Microsoft.ContainerService/{kind}/write", CONTRIBUTOR)
        if target.create.managed_prometheus:
            yield Right(group, "Microsoft.Monitor/accounts/write", CONTRIBUTOR)
        if target.create.subnet_id:
            yield Right(target.create.subnet_id, ASSIGN, GRANTS_ROLES)
    elif isinstance(target, AksTarget) and target.attach is not None:
        cluster = _cluster_id(target.attach)
        user = "Azure Kubernetes Service Cluster User Role"
        yield Right(cluster, "Microsoft.ContainerService/managedClusters/read", user)
        yield Right(
            cluster, "Microsoft.ContainerService/managedClusters/listClusterUserCredential/action", user
        )


def _cluster_id(attach: AksAttach) -> str:
    """With `{subscription}` where the manifest names none."""
    return (
        f"/subscriptions/{attach.subscription_id or '{subscription}'}/resourceGroups/{attach.resource_group}"
        f"/providers/Microsoft.ContainerService/managedClusters/{attach.cluster_name}"
    )


def _cores(manifest: Manifest, name: str, target: Target) -> Iterator[Cores]:
    where, stack = f"targets.{name}", manifest.azure.location or ""
    if isinstance(target, AksTarget) and target.create is not None:
        yield from _of_cluster(where, target.create, target.create.location or stack)
    elif isinstance(target, BatchTarget) and target.existing is None and (each := _vcpus(target.vm_size)):
        yield Cores(
            where, target.location or stack, target.vm_size, target.min_nodes * each, target.max_nodes * each,
            "Microsoft.MachineLearningServices",
        )  # fmt: skip


def _of_cluster(where: str, create: AksCreate, location: str) -> Iterator[Cores]:
    system = 1 if create.cluster_purpose == "dev_test" else 2
    pools = [
        (create.system_vm_size, system, system, None),
        (create.vm_size, create.agent_count, create.max_count or 3 * create.agent_count, create.vcpus),
        *((pool.vm_size, pool.min_count, pool.max_count, None) for pool in create.pools if not pool.spot),
    ]
    for size, now, most, known in pools:
        if each := known or _vcpus(size):
            yield Cores(where, location, size, now * each, most * each)


def _vcpus(size: str) -> int | None:
    try:
        return vcpus(size)
    except ValueError:
        return None


def _groups(manifest: Manifest, used: dict[str, Target]) -> Iterator[tuple[str, int, float]]:
    found: dict[str, list[float]] = {}
    for service in manifest.services.values():
        target = used[service.target]
        if isinstance(target, AciTarget):
            place = target.location or manifest.azure.location or ""
            found.setdefault(place, []).append(service.cpu_cores or 1.0)
    for location, cores in sorted(found.items()):
        yield location, len(cores), sum(cores)
