"""What the types of target on Kubernetes have in common."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Final

from pydantic import Field

from mldeploy.manifest.base import Count, Namespace, Positive, Section, Text
from mldeploy.manifest.draft import Draft
from mldeploy.manifest.errors import shown
from mldeploy.manifest.kinds import resolve
from mldeploy.manifest.kinds.kind import Need, name_rule
from mldeploy.manifest.markers import CLUSTER, CONTAINER, KEYED, ONLINE, VERSIONED
from mldeploy.manifest.nodes import Path as NodePath
from mldeploy.manifest.service import Service
from mldeploy.manifest.target import Target
from mldeploy.manifest.validation import Fault

TRAITS: Final[dict[str, None]] = dict.fromkeys((ONLINE, KEYED, VERSIONED, CLUSTER, CONTAINER))
# A Kubernetes Service's name (RFC 1035), with room for the version's suffix.
SERVICE_NAMES: Final = name_rule(
    r"[a-z]([a-z0-9-]{0,51}[a-z0-9])?", "1-53 lowercase letters, digits and inner hyphens, a letter first"
)
RESERVED: Final = {
    "default": "the name of the service account of every namespace",
    "kubernetes": "the name of the API server's own service",
}
SDK: Final = Need("package", "pulumi-kubernetes", "run `make setup-cloud` (the extra 'kubernetes')")


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


class ClusterTarget(Target):
    """A Kubernetes cluster."""

    namespace: Namespace | None = None
    """The namespace of its services. Default: the names of project, stack and target."""
    quota: Quota | None = None
    """A quota for that namespace."""
    gateway: Gateway | None = None
    """The Gateway API gateway that services are reached through. Default: one of the target's own."""


def check(draft: Draft, name: str, target: ClusterTarget) -> Iterator[Fault]:
    """The gateway and the quota hold for all services together."""
    services = draft.services_on(name)
    if services:
        yield from _gateway(target.gateway, services)
    if services and target.quota is not None:
        yield from _quota(("targets", name, "quota"), target.quota, services, target.type)


def _gateway(gateway: Gateway | None, services: Mapping[str, Service]) -> Iterator[Fault]:
    """A gateway's address has one label; one that exists already has its own TLS."""
    first: tuple[str, str] | None = None
    for name, service in services.items():
        if service.ssl is None or not service.ssl.enabled:
            continue
        path: NodePath = ("services", name, "ssl")
        if gateway is not None and gateway.class_name is None:
            yield Fault(
                path,
                f"has no effect: the gateway {shown(gateway.name)} exists already, and so does its TLS; "
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
