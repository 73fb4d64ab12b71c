"""`type: local`: this machine."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, Literal

from mldeploy.manifest.draft import Draft
from mldeploy.manifest.errors import shown
from mldeploy.manifest.kinds.kind import Kind
from mldeploy.manifest.markers import CONTAINER, KEYED, ONLINE, VERSIONED
from mldeploy.manifest.service import Service
from mldeploy.manifest.target import Target
from mldeploy.manifest.validation import Fault


class LocalTarget(Target):
    """This machine. v1: `LocalWebservice`."""

    runtime: Literal["process", "docker"] = "process"
    """`process`: no Docker needed; `docker`: the same image as everywhere else."""


def _service(draft: Draft, name: str, service: Service) -> Iterator[Fault]:
    path = ("services", name)
    if service.port is None and not draft.lacks("services", name, "port"):
        yield Fault((*path, "port"), "is missing; a local service needs one of its own, 1 to 65535")
    if service.rollout is not None and service.rollout.strategy == "canary":
        yield Fault(
            (*path, "rollout", "strategy"),
            "canary is for aks, kubernetes; a local service moves all traffic at once",
        )
    image = draft.images.get(service.image)
    for model in image.models if image else ():
        if model in draft.models and draft.models[model].source.startswith("azureml:"):
            yield Fault(
                (*path, "target"),
                f"image {shown(service.image)} has model {shown(model)} from an Azure ML job, which only "
                f"Azure targets can read; download it and give its path",
            )


KIND: Final = Kind(
    model=LocalTarget,
    traits={ONLINE: None, KEYED: None, VERSIONED: None, CONTAINER: ("runtime", "docker")},
    ports="machine",
    check_service=_service,
    v1=("LocalWebservice",),
)
