"""Limits of Azure Container Instances.

https://learn.microsoft.com/azure/container-instances/container-instances-resource-and-quota-limits
"""

from __future__ import annotations

from collections.abc import Iterator

from mldeploy.manifest.nodes import Path as NodePath
from mldeploy.manifest.rules.draft import Draft
from mldeploy.manifest.service import Service
from mldeploy.manifest.targets import AciTarget
from mldeploy.manifest.validation import Fault

_MOST_CPU, _MOST_MEMORY = 4, 16


def check(draft: Draft, path: NodePath, service: Service) -> Iterator[Fault]:
    """Sizes in the steps that the service takes, and a host name only where there is a public address."""
    for key, value, most, step in (
        ("cpu_cores", service.cpu_cores, _MOST_CPU, 0.01),
        ("memory_gb", service.memory_gb, _MOST_MEMORY, 0.1),
    ):
        if value is None:
            continue
        if not 1 <= value <= most:
            yield Fault((*path, key), f"{value:g} is not allowed on ACI; allowed: 1 to {most}")
        elif abs(value / step - round(value / step)) > 1e-6:
            yield Fault((*path, key), f"{value:g} is not allowed on ACI; allowed: multiples of {step}")
    target = draft.targets.get(service.target)
    if isinstance(target, AciTarget) and target.subnet_id and service.dns_name_label:
        yield Fault(
            (*path, "dns_name_label"),
            f"has no effect on {service.target}, whose subnet has private addresses only",
        )
