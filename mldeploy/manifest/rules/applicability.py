"""Which keys of a service mean something on which type of target."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from mldeploy.manifest.errors import shown
from mldeploy.manifest.rules.draft import Draft
from mldeploy.manifest.validation import Fault

_ONLINE = ("local", "aci", "aks", "kubernetes", "edge")
_KUBERNETES = ("aks", "kubernetes")

APPLIES: Final[dict[str, tuple[str, ...]]] = {
    "port": ("local", "edge"),
    "cpu_cores": _ONLINE,
    "memory_gb": _ONLINE,
    "cpu_cores_limit": _KUBERNETES,
    "memory_gb_limit": _KUBERNETES,
    "gpu_cores": (*_KUBERNETES, "edge"),
    "num_replicas": ("local", *_KUBERNETES),
    "autoscale": _KUBERNETES,
    "auth_enabled": _ONLINE,
    "primary_key": ("local", "aci", *_KUBERNETES),
    "secondary_key": ("local", "aci", *_KUBERNETES),
    "key_generation": ("local", "aci", *_KUBERNETES),
    "ssl": _ONLINE,
    "scoring_timeout_ms": _ONLINE,
    "replica_max_concurrent_requests": _ONLINE,
    "max_request_wait_time": _ONLINE,
    "collect_model_data": _ONLINE,
    "enable_app_insights": _ONLINE,
    "rollout": ("local", *_KUBERNETES),
    "keep_previous": _KUBERNETES,
    "dns_name_label": ("aci",),
    "namespace": _KUBERNETES,
    "probes": ("aci", *_KUBERNETES),
    "host": _KUBERNETES,
    "node_selector": _KUBERNETES,
    "tolerations": _KUBERNETES,
    "priority_class": _KUBERNETES,
    "batch": ("batch",),
    "edge": ("edge",),
}
"""The types of target that a service's key is for. Keys that are not here are for all."""


def check(draft: Draft, root: Path) -> Iterator[Fault]:  # noqa: ARG001
    """Keys that would have no effect: refused, so that nobody relies on them."""
    for name, service in draft.services.items():
        kind = draft.type_of(service)
        for key in draft.given("services", name) if kind else ():
            types = APPLIES.get(key)
            if types is not None and kind not in types:
                yield Fault(
                    ("services", name, key),
                    f"does not apply to {shown(service.target)}, which is of type {kind}; "
                    f"it is for {', '.join(types)}",
                    removable=True,
                )
