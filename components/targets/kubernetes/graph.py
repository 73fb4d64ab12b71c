"""`type: kubernetes`: services on any cluster that a kubeconfig leads to."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pulumi

from components import secrets
from components.context import Context, Endpoint
from components.images.context import container_image
from components.kubernetes.kubeconfig import KubeconfigError, load
from components.kubernetes.services import Place, deploy_on
from components.models.registration import register_model
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
    return {"image": container_image(context, service.image, target.registry).reference, "models": models}
