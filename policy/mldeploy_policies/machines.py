"""How large the machines of a stack are, fully scaled out."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pulumi_policy import PolicyResource

from mldeploy_policies.reading import GROUP, UNKNOWN, at, items, text

_POOL = "azure-native:containerservice:AgentPool"
_CLUSTER = "azure-native:containerservice:ManagedCluster"
_COMPUTE = "azure-native:machinelearningservices:Compute"
# The first generations count instances, not vCPUs: D1 to D4 have 1, 2, 4, 8; D11 to D14 2, 4, 8, 16.
_OLD = {"1": 1, "2": 2, "3": 4, "4": 8, "5": 16, "11": 2, "12": 4, "13": 8, "14": 16, "15": 20}
_SIZE = re.compile(r"(?:standard_)?([a-z]+)(\d+)(?:-(\d+))?([a-z]*)(?:_.*?)??(_v\d+)?", re.IGNORECASE)
_VCPUS_OF_A_GPU = {"NC": 6, "ND": 6, "NV": 6}


@dataclass(frozen=True)
class Machine:
    """Nodes of one size."""

    size: str | None
    """The VM size; None for a container group."""
    most: float
    """How many there can be."""
    vcpus: float
    """Of one."""


def vcpus(size: str) -> int:
    """The vCPUs of a VM size, by its name: `Standard_D4s_v5` has 4, `Standard_D3_v2` has 4, too."""
    match = _SIZE.fullmatch(size)
    if match is None:
        return 0
    family, number, constrained, _, version = match.groups()
    if constrained:
        return int(constrained)
    if family.upper() in ("D", "DS") and (version or "").lower() in ("", "_v2"):
        return _OLD.get(number, int(number))
    return int(number)


def gpus(size: str) -> int:
    """About how many GPUs a VM size has: one for each six vCPUs or more of the N series."""
    match = _SIZE.fullmatch(size)
    family = match[1].upper() if match else ""
    each = next((count for start, count in _VCPUS_OF_A_GPU.items() if family.startswith(start)), None)
    return max(1, vcpus(size) // 24 or 1) if each else 0


def machines(resources: Sequence[PolicyResource]) -> Iterator[Machine]:
    """Everything that costs by the hour. Numbers that are not known yet count as zero."""
    for one in resources:
        props = one.props
        if one.resource_type == _POOL:
            yield from _nodes(at(props, "vmSize"), at(props, "maxCount") or at(props, "count"))
        elif one.resource_type == _CLUSTER:
            for pool in items(props, "agentPoolProfiles"):
                yield from _nodes(at(pool, "vmSize"), at(pool, "maxCount") or at(pool, "count"))
        elif one.resource_type == _COMPUTE:
            inner = at(props, "properties.properties", {})
            yield from _nodes(at(inner, "vmSize"), at(inner, "scaleSettings.maxNodeCount"))
        elif one.resource_type == GROUP:
            cores = [at(container, "resources.requests.cpu") for container in items(props, "containers")]
            yield Machine(None, 1, sum(core for core in cores if isinstance(core, int | float)))


def stack_vcpus(resources: Sequence[PolicyResource]) -> float:
    """The vCPUs of the whole stack, fully scaled out."""
    return sum(machine.most * machine.vcpus for machine in machines(resources))


def _nodes(size: object, most: object) -> Iterator[Machine]:
    name = text(size)
    if name is not None and isinstance(most, int | float) and most is not UNKNOWN:
        yield Machine(name, float(most), vcpus(name))
