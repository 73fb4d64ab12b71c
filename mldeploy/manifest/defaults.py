"""Defaults that depend on the type of a service's target: v1's, where v1 had one."""

from __future__ import annotations

from typing import Any

from mldeploy.manifest.service import Autoscale, Service

_KUBERNETES: dict[str, Any] = {"auth_enabled": True, "cpu_cores": 0.1, "memory_gb": 0.5}
# ACI starts no group below one CPU and one GB; v1's 0.1 and 0.5 were rounded up behind the scenes.
_BY_TYPE: dict[str, dict[str, Any]] = {
    "aks": _KUBERNETES,
    "kubernetes": _KUBERNETES,
    "aci": {"cpu_cores": 1.0, "memory_gb": 1.0},
}


def resolve(service: Service, target_type: str) -> Service:
    """``service`` with every default filled in that its target's type decides."""
    given = service.model_fields_set
    found = {key: value for key, value in _BY_TYPE.get(target_type, {}).items() if key not in given}
    if target_type in ("aks", "kubernetes"):
        autoscaled = service.autoscale is not None and service.autoscale.enabled
        if service.num_replicas is None and service.autoscale is None:
            found["autoscale"] = Autoscale()
        elif service.num_replicas is None and not autoscaled:
            found["num_replicas"] = 1
        cpu, memory = found.get("cpu_cores", service.cpu_cores), found.get("memory_gb", service.memory_gb)
        found |= {"cpu_cores_limit": cpu} if service.cpu_cores_limit is None else {}
        found |= {"memory_gb_limit": memory} if service.memory_gb_limit is None else {}
    return service.model_copy(update=found) if found else service
