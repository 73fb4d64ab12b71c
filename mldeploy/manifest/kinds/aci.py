"""`type: aci`: Azure Container Instances.

Limits: https://learn.microsoft.com/azure/container-instances/container-instances-resource-and-quota-limits
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from pydantic import Field

from mldeploy.manifest.base import ArmId, Labels, Location, Zone
from mldeploy.manifest.draft import Draft
from mldeploy.manifest.kinds.kind import Kind, name_rule
from mldeploy.manifest.kinds.on_azure import LOGIN, SDK, located, resource_id, tags_of_service, tags_of_target
from mldeploy.manifest.markers import CONTAINER, KEYED, ONLINE
from mldeploy.manifest.service import Service
from mldeploy.manifest.target import Target
from mldeploy.manifest.validation import Fault

_MOST_CPU, _MOST_MEMORY = 4, 16


class AciTarget(Target):
    """Azure Container Instances, for development and tests. v1: `AciWebservice`."""

    location: Location | None = None
    """The Azure region. Default: `azure.location`."""
    subnet_id: ArmId | None = None
    """A subnet delegated to container groups; services then have private addresses only."""
    zone: Zone | None = None
    """The availability zone."""
    log_analytics: bool = False
    """Whether what containers print is kept in the stack's Log Analytics workspace, too."""
    tags: Labels = Field(default_factory=dict)
    """Tags of its resources."""


def _target(draft: Draft, name: str, target: AciTarget) -> Iterator[Fault]:
    yield from located(draft, name, target.location)
    yield from resource_id(
        ("targets", name, "subnet_id"), target.subnet_id, "Microsoft.Network/virtualNetworks/subnets"
    )
    yield from tags_of_target(draft, name)


def _service(draft: Draft, name: str, service: Service) -> Iterator[Fault]:
    """Sizes in the steps that the service takes, and a host name only where there is a public address."""
    yield from tags_of_service(draft, name, service)
    for key, value, most, step in (
        ("cpu_cores", service.cpu_cores, _MOST_CPU, 0.01),
        ("memory_gb", service.memory_gb, _MOST_MEMORY, 0.1),
    ):
        if value is None:
            continue
        where = ("services", name, key)
        if not 1 <= value <= most:
            yield Fault(where, f"{value:g} is not allowed on ACI; allowed: 1 to {most}")
        elif abs(value / step - round(value / step)) > 1e-6:
            yield Fault(where, f"{value:g} is not allowed on ACI; allowed: multiples of {step}")
    target = draft.targets.get(service.target)
    if isinstance(target, AciTarget) and target.subnet_id and service.dns_name_label:
        yield Fault(
            ("services", name, "dns_name_label"),
            f"has no effect on {service.target}, whose subnet has private addresses only",
        )


KIND: Final = Kind(
    model=AciTarget,
    traits={ONLINE: None, KEYED: None, CONTAINER: None},
    foundation="always",
    on_azure=True,
    # A container group's name, and a DNS label.
    service_names=name_rule(
        r"(?!.*--)[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?",
        "1-63 lowercase letters, digits and single inner hyphens",
    ),
    check_target=_target,
    check_service=_service,
    needs=(SDK, LOGIN),
    v1=("AciWebservice",),
)
