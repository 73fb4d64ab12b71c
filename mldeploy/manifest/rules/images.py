"""Base images, registries, and what else an image says."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from mldeploy.manifest.draft import Draft
from mldeploy.manifest.errors import shown
from mldeploy.manifest.image import Image, Registry
from mldeploy.manifest.kinds import kind
from mldeploy.manifest.nodes import Path as NodePath
from mldeploy.manifest.service import Service
from mldeploy.manifest.validation import Fault
from mldeploy.values.variables import reserved

_REFERENCE = re.compile(
    r"(?:[a-zA-Z0-9.-]+(?::[0-9]+)?/)?[a-z0-9]+(?:[._/-]+[a-z0-9]+)*(?::[\w][\w.-]{0,127})?(?:@sha256:[0-9a-f]{64})?"
)
_RUN = re.compile(r"runs:/[A-Za-z0-9_.-]+")
_UBUNTU = re.compile(r"ubuntu[-_:]?(\d{2})\.?(\d{2})", re.IGNORECASE)
_PYTHON = re.compile(r"[-:]py(?:thon)?-?3\.?(\d{1,2})(?![\d])", re.IGNORECASE)
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def check(draft: Draft, root: Path) -> Iterator[Fault]:  # noqa: ARG001
    """Faults of every image by itself, then of images on targets that may not run them."""
    for name, image in draft.images.items():
        yield from _image(("images", name), image)
    for name, service in draft.services.items():
        image, type_ = draft.images.get(service.image), draft.type_of(service)
        if image is None or type_ is None:
            continue
        yield from _built_by_docker(draft, service, image)
        if image.base_image and azure_only(image.base_image) and not kind(type_).on_azure:
            yield Fault(
                ("services", name, "target"),
                f"image {shown(service.image)} is built on {shown(image.base_image)}, whose licence allows "
                f"CUDA and TensorRT on Azure only, and {shown(service.target)} is of type {type_}; "
                "use an nvidia/cuda base image or an Azure target",
            )


def _built_by_docker(draft: Draft, service: Service, image: Image) -> Iterator[Fault]:
    """The Docker engine of this machine has its own logins; a registry's build task has none."""
    target, login = draft.targets.get(service.target), image.base_image_registry
    if target is None or login is None or login.username is None or kind(target.type).foundation == "never":
        return
    if getattr(target, "registry", None) is not None or draft.azure.builder == "docker":
        yield Fault(
            ("images", service.image, "base_image_registry"),
            f"has no effect on {shown(service.target)}, whose images this machine's Docker engine builds: run "
            "`docker login` and remove it, or have the stack's registry build: azure: {builder: acr}",
            removable=True,
        )


def azure_only(base_image: str) -> bool:
    """Whether it is one of Microsoft's images with CUDA or TensorRT, which may run on Azure only."""
    name = base_image.lower()
    return (
        name.startswith("mcr.microsoft.com/azureml/")
        and re.search(r"cuda|gpu|tensorrt|-trt", name) is not None
    )


def _image(path: NodePath, image: Image) -> Iterator[Fault]:
    if image.base_image is not None:
        for message in _base_image(image.base_image):
            yield Fault((*path, "base_image"), message)
    if image.entry_script and not image.entry_script.endswith(".py"):
        yield Fault(
            (*path, "entry_script"), f"{shown(image.entry_script)} is no Python script; allowed: *.py"
        )
    if image.conda_file is not None and not image.conda_file.endswith((".yml", ".yaml")):
        yield Fault(
            (*path, "conda_file"), f"{shown(image.conda_file)} is no conda file; allowed: *.yml, *.yaml"
        )
    if image.base_image_registry is not None:
        if image.base_image is None:
            yield Fault((*path, "base_image_registry"), "is given without base_image")
        yield from login((*path, "base_image_registry"), image.base_image_registry)
        alone = image.base_image_registry.username is None and image.base_image_registry.password is None
        if alone and image.base_image is not None and not image.base_image.startswith("runs:"):
            yield Fault((*path, "base_image_registry"), "has no effect without username and password")
    if (
        image.package_index is not None
        and image.package_index.username
        and image.package_index.password is None
    ):
        yield Fault((*path, "package_index", "password"), "is missing; username is given")
    for name in image.environment_variables:
        where = (*path, "environment_variables", name)
        if not _VARIABLE.fullmatch(name):
            yield Fault(where, "is no name of a variable; allowed: letters, digits and '_'")
        elif reason := reserved(name):
            yield Fault(where, reason)


def no_secret_variables(draft: Draft, service: Service, instead: str) -> Iterator[Fault]:
    """For targets that cannot keep a variable secret: ``instead`` says what to do."""
    image = draft.images.get(service.image)
    for name, value in image.environment_variables.items() if image else ():
        if not isinstance(value, str):
            yield Fault(
                ("images", service.image, "environment_variables", name),
                f"is a secret, and {shown(service.target)} keeps none; {instead}",
            )


def login(path: NodePath, registry: Registry) -> Iterator[Fault]:
    """A user name and a password go together."""
    if registry.username and registry.password is None:
        yield Fault((*path, "password"), "is missing; username is given")
    if registry.password is not None and not registry.username:
        yield Fault((*path, "username"), "is missing; password is given")


def _base_image(image: str) -> Iterator[str]:
    if image.startswith("runs:"):
        if not _RUN.fullmatch(image):
            yield f"{shown(image)} names no run; allowed: runs:/<run id>"
        return
    if "://" in image:
        yield f"{shown(image)} is no image; write it without {image.partition('://')[0]}://"
        return
    if not _REFERENCE.fullmatch(image):
        yield f"{shown(image)} is no image; allowed: registry/name:tag or registry/name@sha256:<digest>"
        return
    lowered = image.lower()
    if "fpga" in lowered or "accel-models" in lowered:
        yield f"{shown(image)} is for FPGAs; Azure ML's FPGA service is retired: use a CPU or CUDA base image"
    if "windowsservercore" in lowered or "nanoserver" in lowered:
        yield f"{shown(image)} is a Windows image; allowed: Linux images"
    ubuntu = _UBUNTU.search(image)
    if ubuntu and (int(ubuntu[1]), int(ubuntu[2])) < (16, 4):
        yield f"{shown(image)} is Ubuntu {ubuntu[1]}.{ubuntu[2]}; allowed: 16.04 and later"
    python = _PYTHON.search(image)
    if python and not 10 <= int(python[1]) <= 13:
        yield f"{shown(image)} has Python 3.{python[1]}; the scoring server runs on 3.10 to 3.13"
