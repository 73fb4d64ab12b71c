"""Settings of a service that depend on each other."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from mldeploy.manifest.draft import Draft
from mldeploy.manifest.errors import shown
from mldeploy.manifest.kinds import kind, resolve
from mldeploy.manifest.markers import CLUSTER, KEYED
from mldeploy.manifest.nodes import Path as NodePath
from mldeploy.manifest.rules import tls
from mldeploy.manifest.service import Service
from mldeploy.manifest.validation import Fault


def check(draft: Draft, root: Path) -> Iterator[Fault]:  # noqa: ARG001
    """Replicas, limits, keys, TLS, rollout, golden requests; then what the target's type has to say."""
    for name, service in draft.services.items():
        path: NodePath = ("services", name)
        yield from _limits(path, service)
        yield from _golden(path, service)
        type_ = draft.type_of(service)
        if type_ is None:
            yield from _replicas(path, service)
            continue
        own = kind(type_)
        if own.has(CLUSTER, None):
            yield from _replicas(path, service)
            yield from _rollout(path, service)
        if own.has(KEYED, None):
            yield from _auth(draft, name, resolve(service, type_))
            if not draft.lacks("services", name, "ssl"):
                yield from tls.check(path, service, type_)
        yield from own.check_service(draft, name, service)


def _replicas(path: NodePath, service: Service) -> Iterator[Fault]:
    scale = service.autoscale
    if scale is None:
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


def _auth(draft: Draft, name: str, service: Service) -> Iterator[Fault]:
    if draft.lacks("services", name, "auth_enabled"):
        return
    if not service.auth_enabled:
        for key in ("primary_key", "secondary_key", "key_generation"):
            if key in service.model_fields_set:
                yield Fault(("services", name, key), "has no effect without auth_enabled: true")
    if service.primary_key is not None and service.primary_key == service.secondary_key:
        yield Fault(
            ("services", name, "secondary_key"),
            "is the same secret as primary_key; with two different ones, one can be replaced at a time",
        )


def _rollout(path: NodePath, service: Service) -> Iterator[Fault]:
    rollout, where = service.rollout, (*path, "rollout")
    if rollout is None:
        return
    if rollout.strategy == "blue_green" and "steps" in rollout.model_fields_set:
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
        stream = golden.stream
        pieces = stream.pieces if stream else None
        if golden.response is None and pieces is None and "tolerance" in golden.model_fields_set:
            yield Fault((*path, "golden", index, "tolerance"), "has no effect without response")
        if golden.response is not None and pieces is not None:
            yield Fault(
                (*path, "golden", index, "response"),
                "is the whole body, and stream.pieces are its pieces; allowed: one of the two",
            )
        if golden.request in seen:
            yield Fault(
                (*path, "golden", index, "request"),
                f"{shown(golden.request)} is the request of golden[{seen[golden.request]}] too",
            )
        seen.setdefault(golden.request, index)
