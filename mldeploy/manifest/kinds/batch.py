"""`type: batch`: an Azure ML compute that scores files."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Final, Literal

from pydantic import BeforeValidator, Field

from mldeploy.manifest.base import ArmId, Count, Labels, Location, Positive, VmSize, fail
from mldeploy.manifest.draft import Draft
from mldeploy.manifest.errors import shown
from mldeploy.manifest.kinds.kind import Kind, name_rule
from mldeploy.manifest.kinds.on_azure import LOGIN, SDK, located, resource_id, tags_of_service, tags_of_target
from mldeploy.manifest.markers import CONTAINER
from mldeploy.manifest.rules.images import no_secret_variables
from mldeploy.manifest.service import Service
from mldeploy.manifest.target import Target
from mldeploy.manifest.validation import Fault
from mldeploy.manifest.vm_sizes import fpga, is_fpga

_COMPUTE = ("vm_size", "vm_priority", "min_nodes", "max_nodes", "idle_seconds_before_scaledown", "subnet_id")


def _dedicated(value: Any) -> Any:
    if isinstance(value, str) and value.lower().replace("_", "").replace("-", "") in ("lowpriority", "spot"):
        raise fail("Azure ML's low-priority VMs ended in March 2026; allowed: dedicated")
    return value


class BatchTarget(Target):
    """An Azure ML compute for batch inference. v1: `AmlCompute` with `ParallelRunStep`."""

    location: Location | None = None
    """The Azure region. Default: `azure.location`."""
    existing: ArmId | None = None
    """The resource id of a compute to use. Default: the stack creates one."""
    vm_size: VmSize = "Standard_DS3_v2"
    """The nodes' VM size."""
    vm_priority: Annotated[Literal["dedicated"], BeforeValidator(_dedicated)] = "dedicated"
    """`dedicated`; Azure ML has no low-priority VMs any more."""
    min_nodes: Count = 0
    """Nodes that always run; 0 costs nothing while idle."""
    max_nodes: Positive = 4
    """The most nodes."""
    idle_seconds_before_scaledown: Annotated[int, Field(ge=60)] = 1800
    """How long an idle node is kept."""
    subnet_id: ArmId | None = None
    """The nodes' subnet."""
    tags: Labels = Field(default_factory=dict)
    """Tags of its resources."""


def _target(draft: Draft, name: str, target: BatchTarget) -> Iterator[Fault]:
    path = ("targets", name)
    yield from located(draft, name, target.location)
    yield from resource_id(
        (*path, "subnet_id"), target.subnet_id, "Microsoft.Network/virtualNetworks/subnets"
    )
    yield from resource_id(
        (*path, "existing"), target.existing, "Microsoft.MachineLearningServices/workspaces/computes"
    )
    yield from tags_of_target(draft, name)
    if target.existing is not None:
        for key in _COMPUTE:
            if key in target.model_fields_set:
                yield Fault((*path, key), "has no effect on an existing compute")
    if is_fpga(target.vm_size):
        yield Fault((*path, "vm_size"), fpga(target.vm_size))
    if target.min_nodes > target.max_nodes:
        yield Fault((*path, "min_nodes"), f"{target.min_nodes} is more than max_nodes, {target.max_nodes}")


def _service(draft: Draft, name: str, service: Service) -> Iterator[Fault]:
    yield from tags_of_service(draft, name, service)
    yield from no_secret_variables(
        draft, service, "batch nodes get none: read it from the key vault in init()"
    )
    image, target = draft.images.get(service.image), draft.targets.get(service.target)
    if image is not None and len(image.models) != 1:
        yield Fault(
            ("services", name, "image"),
            f"image {shown(service.image)} has {len(image.models)} models; a batch deployment has one",
        )
    count = service.batch.instance_count if service.batch else 1
    if isinstance(target, BatchTarget) and target.existing is None and count > target.max_nodes:
        yield Fault(
            ("services", name, "batch", "instance_count"),
            f"{count} is more than max_nodes of {service.target}, {target.max_nodes}",
        )


KIND: Final = Kind(
    model=BatchTarget,
    traits={CONTAINER: None},
    foundation="always",
    on_azure=True,
    # An Azure ML batch endpoint's name.
    service_names=name_rule(
        r"(?!.*--)[a-z][a-z0-9-]{1,30}[a-z0-9]",
        "3-32 lowercase letters, digits and single inner hyphens, a letter first",
    ),
    check_target=_target,
    check_service=_service,
    needs=(SDK, LOGIN),
    v1=("AmlCompute", "ParallelRunStep"),
)
