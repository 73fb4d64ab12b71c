"""`type: local`: services on this machine, as processes or as containers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pulumi

from components import secrets
from components.context import Context, Endpoint
from components.images import serving_settings
from components.images.context import build_context, package_index, registry_login
from components.images.scoring_image import ScoringImage, ScoringImageArgs
from components.images.serving_extras import serving_extras
from components.models.registration import in_store as register_model
from components.sdk.local import LocalImage, Replica
from components.targets.local.endpoint import LocalEndpoint, LocalEndpointArgs, ServiceModel
from mldeploy.manifest import Service
from mldeploy.manifest.kinds.local import LocalTarget
from mldeploy.provider.framework.declare import properties_of
from mldeploy.provider.local import containers

__all__ = ["deploy", "register_model", "require"]


def deploy(
    context: Context, _name: str, target: LocalTarget, services: Mapping[str, Service]
) -> dict[str, Endpoint]:
    """One :class:`LocalEndpoint` a service, over models and images that services share."""
    docker = target.runtime == "docker"
    return {key: _endpoint(context, key, service, docker=docker) for key, service in services.items()}


def require(name: str, target: LocalTarget) -> None:
    """What this machine needs for the target, looked at before anything is registered.

    Raises:
        pulumi.RunError: services cannot run here so; the message says why, and what to do about it.
    """
    if target.runtime == "docker" and (fault := containers.fault()) is not None:
        raise pulumi.RunError(f"targets.{name}.runtime: {fault}; or write `runtime: process`")


def _image(context: Context, name: str) -> ScoringImage:
    def make() -> ScoringImage:
        image = context.manifest.images[name]
        args = ScoringImageArgs(
            source_directory=image.source_directory,
            entry_script=image.entry_script,
            conda_file=image.conda_file,
            serving_extras=serving_extras(context, name),
        )
        return ScoringImage(name, args)

    return context.shared(("local", "image", name), make)


def _container_image(context: Context, name: str) -> LocalImage:
    def make() -> LocalImage:
        image, made = context.manifest.images[name], build_context(context, name, local=True)
        login = registry_login(context, image.base_image_registry)
        return LocalImage(
            f"{name}-local-image",
            image=name,
            context=made.folder,
            digest=made.digest,
            base_image=made.base_image,
            packages=list(made.packages) or None,
            package_index=package_index(context, image),
            base_image_registry=login.to_json() if login else None,
        )

    return context.shared(("local", "container", name), make)


def _runs(context: Context, name: str, *, docker: bool) -> dict[str, Any]:
    """The arguments that say what runs: a container's image, or an environment and the script in it."""
    if docker:
        built = _container_image(context, name)
        return {"image": built.digest, "container_image": built.reference}
    image = _image(context, name)
    return {"image": image.digest, "environment_digest": image.environment_digest}


def _endpoint(context: Context, name: str, service: Service, *, docker: bool) -> Endpoint:
    manifest_image = context.manifest.images[service.image]
    models = [register_model(context, model) for model in manifest_image.models]
    settings: dict[str, Any] = serving_settings.apart(service.server_settings(), properties_of(Replica))
    settings |= {"cpu_cores": service.cpu_cores, "memory_gb": service.memory_gb}
    settings["num_replicas"] = service.num_replicas or 1
    settings["collect_model_data"] = (
        service.collect_model_data.model_dump(exclude_none=True) if service.collect_model_data else None
    )
    settings["environment_variables"] = {
        key: value if isinstance(value, str) else secrets.resolve(context, value)
        for key, value in manifest_image.environment_variables.items()
    }
    endpoint = LocalEndpoint(
        name,
        LocalEndpointArgs(
            **_runs(context, service.image, docker=docker),
            source_directory=manifest_image.source_directory,
            entry_script=manifest_image.entry_script,
            models=[ServiceModel(name=m.model_name, version=m.version, digest=m.digest) for m in models],
            port=_port(name, service),
            auth_enabled=service.auth_enabled,
            primary_key=secrets.optional(context, service.primary_key),
            secondary_key=secrets.optional(context, service.secondary_key),
            key_generation=(service.key_generation.primary, service.key_generation.secondary),
            golden=[request.model_dump(exclude_none=True) for request in service.golden],
            settings=settings,
            ssl=secrets.tls_files(context, service.ssl),
        ),
    )
    return Endpoint.of(endpoint, auth=service.auth_enabled)


def _port(name: str, service: Service) -> int:
    if service.port is None:  # the manifest's rules require one on local targets
        raise pulumi.RunError(f"services.{name}: a local service needs a port")
    return service.port
