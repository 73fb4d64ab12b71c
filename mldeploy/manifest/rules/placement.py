"""What services ask of the target they are on, and what the target needs for them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath

from mldeploy.manifest.aks import Quota
from mldeploy.manifest.defaults import resolve
from mldeploy.manifest.errors import shown
from mldeploy.manifest.nodes import Path as NodePath
from mldeploy.manifest.rules.draft import Draft
from mldeploy.manifest.service import Service
from mldeploy.manifest.targets import AciTarget, AksTarget, BatchTarget, EdgeTarget, KubernetesTarget, Target
from mldeploy.manifest.validation import Fault


def check(draft: Draft, root: Path) -> Iterator[Fault]:  # noqa: ARG001
    """Targets that have services."""
    for name, target in draft.targets.items():
        services = draft.services_on(name)
        if not services:
            continue
        yield from _location(draft, name, target)
        if isinstance(target, AksTarget | KubernetesTarget):
            yield from _gateway(target, services)
            if target.quota is not None:
                yield from _quota(("targets", name, "quota"), target.quota, services, target.type)
        elif isinstance(target, BatchTarget):
            yield from _batch(draft, services)
        elif isinstance(target, EdgeTarget):
            yield from _collection(services)


def _location(draft: Draft, name: str, target: Target) -> Iterator[Fault]:
    if draft.azure.location is not None or draft.lacks("azure", "", "location"):
        return
    path: NodePath = ("targets", name)
    if isinstance(target, AciTarget | BatchTarget):
        own, path = target.location, (*path, "location")
    elif isinstance(target, AksTarget | EdgeTarget) and target.create is not None:
        own, path = target.create.location, (*path, "create", "location")
    elif isinstance(target, AksTarget) and target.attach is not None:
        # The cluster is somewhere already; the stack's own registry and workspace are not.
        others = (one for one in draft.targets.values() if isinstance(one, AciTarget | BatchTarget))
        if all(one.location is None for one in others):
            why = "needs azure: {location: …}, where the stack's registry and workspace are made"
            yield Fault((*path, "attach"), why)
        return
    else:
        return
    if own is None and not any(draft.lacks("targets", name, key) for key in ("location", "create")):
        yield Fault(path, "is missing; give it here, or azure: {location: …} for the whole stack")


def _gateway(target: AksTarget | KubernetesTarget, services: Mapping[str, Service]) -> Iterator[Fault]:
    """A gateway's address has one label; one that exists already has its own TLS."""
    first: tuple[str, str] | None = None
    exists = target.gateway is not None and target.gateway.class_name is None
    for name, service in services.items():
        if service.ssl is None or not service.ssl.enabled:
            continue
        path: NodePath = ("services", name, "ssl")
        if exists and target.gateway is not None:
            yield Fault(
                path,
                f"has no effect: the gateway {shown(target.gateway.name)} exists already, and so does its TLS; "
                "remove ssl, or give the target's gateway a class_name, which makes one of its own",
            )
        label = service.ssl.leaf_domain_label
        if label is None:
            continue
        if first is not None and first[1] != label:
            yield Fault(
                (*path, "leaf_domain_label"),
                f"{shown(label)} is not that of service {shown(first[0])} on the same gateway, {shown(first[1])}",
            )
        first = first or (name, label)


def _quota(path: NodePath, quota: Quota, services: Mapping[str, Service], kind: str) -> Iterator[Fault]:
    """The fewest replicas of all services have to fit, and while one is updated, that one twice."""
    resolved = [resolve(service, kind) for service in services.values()]
    for key in ("cpu_cores", "memory_gb", "gpu_cores"):
        limit: float | None = getattr(quota, key)
        needs = [(getattr(service, key) or 0) * _fewest(service) for service in resolved]
        wanted = sum(needs) + max(needs)
        if limit is not None and wanted > limit:
            yield Fault(
                (*path, key),
                f"{limit:g} is too little; the fewest replicas of the services need {sum(needs):g}, and {wanted:g} "
                "while the largest one is updated",
            )


def _fewest(service: Service) -> int:
    scale = service.autoscale
    return scale.min_replicas if scale is not None and scale.enabled else service.num_replicas or 1


def _batch(draft: Draft, services: Mapping[str, Service]) -> Iterator[Fault]:
    for name, service in services.items():
        image = draft.images.get(service.image)
        if image is not None and len(image.models) != 1:
            yield Fault(
                ("services", name, "image"),
                f"image {shown(service.image)} has {len(image.models)} models; a batch deployment has one",
            )


def _collection(services: Mapping[str, Service]) -> Iterator[Fault]:
    """A module can write to its mounts only."""
    for name, service in services.items():
        collect = service.collect_model_data
        if collect is None or not collect.enabled:
            continue
        folders = [mount.target for mount in service.edge.mounts if mount.writable] if service.edge else []
        if not any(PurePosixPath(collect.destination or ".").is_relative_to(folder) for folder in folders):
            yield Fault(
                ("services", name, "collect_model_data"),
                "needs a destination in a writable mount of edge.mounts "
                f"(there are: {', '.join(folders) or 'none'})",
            )
