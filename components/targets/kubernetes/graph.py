"""`type: kubernetes`: services on any cluster that a kubeconfig leads to."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pulumi

from components import secrets
from components.context import Context, Endpoint, Registered
from components.foundation import shared as azure_parts
from components.images.container_image import ContainerImage, ContainerImageArgs
from components.kubernetes.kubeconfig import KubeconfigError, load
from components.kubernetes.services import Place, deploy_on
from components.targets.local import graph as local
from mldeploy.manifest import EnvRef, Service
from mldeploy.manifest.kinds.kubernetes import KubernetesTarget

__all__ = ["deploy", "register_model"]


def deploy(
    context: Context, name: str, target: KubernetesTarget, services: Mapping[str, Service]
) -> dict[str, Endpoint]:
    """One endpoint a service.

    Raises:
        pulumi.RunError: the kubeconfig cannot be used.
    """
    extras = {key: _extras(context, target, service) for key, service in services.items()}
    place = Place(
        kubeconfig=_kubeconfig(context, name, target), target_name=name, target=target, extras=extras
    )
    return deploy_on(context, place, services)


def register_model(context: Context, name: str) -> Registered:
    """The model in the workspace when the stack has an Azure part, else in this machine's store."""
    if context.manifest.azure.location is not None:
        return azure_parts.register_model(context, name)
    return local.register_model(context, name)


def _kubeconfig(context: Context, name: str, target: KubernetesTarget) -> pulumi.Output[str]:
    reference = target.kubeconfig
    if reference is None:
        found = os.environ.get("KUBECONFIG") or str(Path.home() / ".kube" / "config")
        try:
            return pulumi.Output.secret(load(found, target.context))
        except KubeconfigError as error:
            raise pulumi.RunError(f"targets.{name}.kubeconfig: {error}") from None

    def loaded(text: str) -> str:
        try:
            return load(text, target.context)
        except KubeconfigError as error:
            raise secrets.fault(context, reference, str(error)) from None

    if isinstance(reference, EnvRef) and os.environ.get(reference.env):
        return pulumi.Output.secret(loaded(os.environ[reference.env]))
    return pulumi.Output.secret(secrets.resolve(context, reference).apply(loaded))


def _extras(context: Context, target: KubernetesTarget, service: Service) -> dict[str, Any]:
    models = {
        model: register_model(context, model).version
        for model in context.manifest.images[service.image].models
    }
    return {"image": _image(context, target, service.image), "models": models}


def _image(context: Context, target: KubernetesTarget, name: str) -> pulumi.Output[str]:
    registry = target.registry
    if registry is None:
        return azure_parts.container_image(context, name).reference

    def make() -> ContainerImage:
        made = azure_parts.build_context(context, name)
        return ContainerImage(
            f"{name}-image",
            ContainerImageArgs(
                context=made.folder,
                tag=made.tag,
                base_image=made.base_image,
                repository=f"{context.project}/{name}".lower().replace("_", "-"),
                server=registry.address,
                builder="docker",
                platform=context.manifest.images[name].platform,
            ),
        )

    return context.shared(("registry", registry.address, name), make).reference
