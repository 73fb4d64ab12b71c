"""Settings of a service that depend on each other."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from mldeploy.manifest.errors import shown
from mldeploy.manifest.nodes import Path as NodePath
from mldeploy.manifest.rules import aci, tls
from mldeploy.manifest.rules.draft import Draft
from mldeploy.manifest.service import Service
from mldeploy.manifest.validation import Fault

_CANARY = ("steps", "bake_seconds", "max_error_rate", "max_latency_ratio")


def check(draft: Draft, root: Path) -> Iterator[Fault]:  # noqa: ARG001
    """Replicas, limits, keys, TLS, rollout, golden requests."""
    for name, service in draft.services.items():
        path: NodePath = ("services", name)
        kind = draft.type_of(service)
        yield from _replicas(path, service, kind)
        yield from _limits(path, service)
        yield from _golden(path, service)
        if kind is None:
            continue
        yield from _auth(draft, path, service, kind)
        yield from _rollout(path, service, kind)
        if not draft.lacks("services", name, "ssl") and not draft.lacks("services", name, "edge"):
            yield from tls.check(path, service, kind)
        if kind == "aci":
            yield from aci.check(draft, path, service)
        if kind == "local" and service.port is None and not draft.lacks("services", name, "port"):
            yield Fault((*path, "port"), "is missing; a local service needs one of its own, 1 to 65535")


def _replicas(path: NodePath, service: Service, kind: str | None) -> Iterator[Fault]:
    scale = service.autoscale
    if scale is None or kind not in (None, "aks", "kubernetes"):
        return
    if scale.min_replicas > scale.max_replicas:
        yield Fault(
            (*path, "autoscale", "min_replicas"),
            f"{scale.min_replicas} is more than max_replicas, {scale.max_replicas}",
        )
    if scale.enabled and service.num_replicas is not None:
        yield Fault(
            (*path, "num_replicas"),
            "is given together with autoscale; remove one, or write autoscale: {enabled: false}",
        )


def _limits(path: NodePath, service: Service) -> Iterator[Fault]:
    for key, value, limit in (
        ("cpu_cores", service.cpu_cores, service.cpu_cores_limit),
        ("memory_gb", service.memory_gb, service.memory_gb_limit),
    ):
        if value is not None and limit is not None and limit < value:
            yield Fault((*path, f"{key}_limit"), f"{limit:g} is less than {key}, {value:g}")


def _auth(draft: Draft, path: NodePath, service: Service, kind: str) -> Iterator[Fault]:
    name = str(path[1])
    if kind == "batch" or draft.lacks("services", name, "auth_enabled"):
        return
    on = service.auth_enabled or (
        kind in ("aks", "kubernetes") and "auth_enabled" not in service.model_fields_set
    )
    keys = [
        key for key in ("primary_key", "secondary_key", "key_generation") if key in service.model_fields_set
    ]
    if kind == "edge":
        file = service.edge.keys_file if service.edge else None
        if on and file is None and not draft.lacks("services", name, "edge"):
            yield Fault(
                (*path, "auth_enabled"),
                "needs edge: {keys_file: <path on the device>}; keys in a deployment could be read by "
                "everybody who can read the hub's twins",
            )
        elif not on and file is not None:
            yield Fault((*path, "edge", "keys_file"), "has no effect without auth_enabled: true")
        return
    if not on:
        for key in keys:
            yield Fault((*path, key), "has no effect without auth_enabled: true")
    if service.primary_key is not None and service.primary_key == service.secondary_key:
        yield Fault(
            (*path, "secondary_key"),
            "is the same secret as primary_key; with two different ones, one can be replaced at a time",
        )


def _rollout(path: NodePath, service: Service, kind: str) -> Iterator[Fault]:
    rollout = service.rollout
    if rollout is None:
        return
    where = (*path, "rollout")
    given = [key for key in (*_CANARY, "promote") if key in rollout.model_fields_set]
    if kind == "local":
        if rollout.strategy == "canary":
            yield Fault(
                (*where, "strategy"),
                "canary is for aks, kubernetes; a local service moves all traffic at once",
            )
        for key in given:
            yield Fault((*where, key), "is for aks, kubernetes; a local service moves all traffic at once")
        return
    if rollout.strategy == "blue_green" and "steps" in given:
        yield Fault((*where, "steps"), "is for strategy canary; blue_green moves all traffic at once")
        return
    if not rollout.steps:
        yield Fault((*where, "steps"), "is empty; allowed: growing shares in percent, the last one 100")
        return
    for index, (low, high) in enumerate(zip(rollout.steps, rollout.steps[1:], strict=False), start=1):
        if high <= low:
            yield Fault((*where, "steps", index), f"{high} is not more than the step before, {low}")
    if rollout.steps[-1] != 100:
        yield Fault((*where, "steps"), f"ends with {rollout.steps[-1]}; the last step is 100")


def _golden(path: NodePath, service: Service) -> Iterator[Fault]:
    seen: dict[str, int] = {}
    for index, golden in enumerate(service.golden):
        if golden.response is None and "tolerance" in golden.model_fields_set:
            yield Fault((*path, "golden", index, "tolerance"), "has no effect without response")
        if golden.request in seen:
            yield Fault(
                (*path, "golden", index, "request"),
                f"{shown(golden.request)} is the request of golden[{seen[golden.request]}] too",
            )
        seen.setdefault(golden.request, index)
