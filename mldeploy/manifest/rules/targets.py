"""Batch, edge and Kubernetes targets."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from pydantic import ValidationError

from mldeploy.manifest.nodes import Path as NodePath
from mldeploy.manifest.rules.clusters import fpga
from mldeploy.manifest.rules.draft import Draft
from mldeploy.manifest.rules.images import login
from mldeploy.manifest.service import Service
from mldeploy.manifest.targets import BatchTarget, EdgeTarget, KubernetesTarget
from mldeploy.manifest.validation import Fault
from mldeploy.manifest.vm_sizes import is_fpga

_COMPUTE = ("vm_size", "vm_priority", "min_nodes", "max_nodes", "idle_seconds_before_scaledown", "subnet_id")
_COMPLETE_ONLY = ("runtime_version", "registry", "store_and_forward_secs")
_MOST_MODULES = 50


def check(draft: Draft, root: Path) -> Iterator[Fault]:  # noqa: ARG001
    """Settings of one target that depend on each other, and on the services there."""
    for name, target in draft.targets.items():
        path: NodePath = ("targets", name)
        if isinstance(target, BatchTarget):
            yield from _batch(draft, path, target)
        elif isinstance(target, EdgeTarget):
            yield from _edge(draft, path, target)
        elif isinstance(target, KubernetesTarget) and target.registry is not None:
            yield from login((*path, "registry"), target.registry)


def _batch(draft: Draft, path: NodePath, target: BatchTarget) -> Iterator[Fault]:
    if target.existing is not None:
        for key in _COMPUTE:
            if key in target.model_fields_set:
                yield Fault((*path, key), "has no effect on an existing compute")
    if is_fpga(target.vm_size):
        yield Fault((*path, "vm_size"), fpga(target.vm_size))
    if target.min_nodes > target.max_nodes:
        yield Fault((*path, "min_nodes"), f"{target.min_nodes} is more than max_nodes, {target.max_nodes}")
    for name, service in draft.services_on(str(path[1])).items():
        count = service.batch.instance_count if service.batch else 1
        if target.existing is None and count > target.max_nodes:
            yield Fault(
                ("services", name, "batch", "instance_count"),
                f"{count} is more than max_nodes of {path[1]}, {target.max_nodes}",
            )


def _edge(draft: Draft, path: NodePath, target: EdgeTarget) -> Iterator[Fault]:
    # Imported here: only stacks with devices need it.
    from mldeploy.edge.condition import ConditionError, check_condition
    from mldeploy.edge.model import Route

    try:
        check_condition(target.target_condition)
    except ConditionError as error:
        yield Fault((*path, "target_condition"), str(error))
    for name, route in target.routes.items():
        try:
            Route(route=route.route)
        except ValidationError as error:
            yield Fault(
                (*path, "routes", name, "route"), error.errors()[0]["msg"].removeprefix("Value error, ")
            )
    if target.layered:
        for key in _COMPLETE_ONLY:
            if key in target.model_fields_set:
                yield Fault((*path, key), "belongs to the complete deployment, not to a layer")
    if target.registry is not None:
        yield from login((*path, "registry"), target.registry)
    services = draft.services_on(str(path[1]))
    if len(services) > _MOST_MODULES:
        yield Fault(path, f"has {len(services)} services; a deployment has at most {_MOST_MODULES} modules")
    for name, service in services.items():
        yield from _module(("services", name, "edge"), service)


def _module(path: NodePath, service: Service) -> Iterator[Fault]:
    from mldeploy.edge import twin

    if service.edge is None:
        return
    for where, reason in twin.faults(service.edge.desired):
        yield Fault((*path, "desired"), f"{where} {reason}".strip())
    try:
        twin.split(twin.compact(service.edge.create_options))
    except ValueError as error:
        yield Fault((*path, "create_options"), str(error))
    if service.edge.bind_address is not None and service.port is None:
        yield Fault((*path, "bind_address"), "has no effect without port")
