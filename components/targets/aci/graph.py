"""`type: aci`: services on Azure Container Instances."""

from __future__ import annotations

from collections.abc import Mapping

import pulumi

from components import naming, secrets
from components.context import Context, Endpoint
from components.foundation import ids as azure_ids
from components.foundation import stack as azure_parts
from components.foundation.foundation import Foundation
from components.images.context import container_image, model_versions, plain_variables, secret_variables
from components.models.azure_model import in_workspace as register_model
from components.targets.aci.args import AciEndpointArgs
from components.targets.aci.endpoint import AciEndpoint
from components.targets.aci.rules import validate
from mldeploy.manifest import Service
from mldeploy.manifest.kinds.aci import AciTarget

__all__ = ["deploy", "register_model"]


def deploy(
    context: Context, name: str, target: AciTarget, services: Mapping[str, Service]
) -> dict[str, Endpoint]:
    """One :class:`AciEndpoint` a service. The limits of all of them are checked before anything is registered.

    Raises:
        pulumi.RunError: the manifest asks for something that Container Instances do not have.
    """
    where = azure_parts.location(context, target.location, f"targets.{name}")
    for key, service in services.items():
        try:
            validate(key, _plain(context, key, target, service, where))
        except ValueError as error:
            raise pulumi.RunError(str(error)) from None
    return {key: _endpoint(context, key, target, service, where) for key, service in services.items()}


def _plain(context: Context, name: str, target: AciTarget, service: Service, where: str) -> AciEndpointArgs:
    """The arguments with nothing in them that needs a resource."""
    private = target.subnet_id is not None
    label = service.dns_name_label or naming.dns_label(context.project, context.stack, name, limit=63)
    generation = service.key_generation
    return AciEndpointArgs(
        image="",
        registry_server="",
        identity_id="",
        identity_client_id="",
        identity_principal_id="",
        resource_group="",
        resource_group_id="",
        location=where,
        group_name=naming.dns_label(name, limit=63),
        cpu_cores=service.cpu_cores or 1.0,
        memory_gb=service.memory_gb or 1.0,
        dns_label=None if private else label,
        auth_enabled=service.auth_enabled,
        key_generation=(generation.primary, generation.secondary),
        ssl_host=service.ssl.cname if service.ssl and service.ssl.enabled else None,
        settings=service.server_settings() | {"models": model_versions(context, service.image)},
        subnet_id=target.subnet_id,
        zone=target.zone,
        probes=service.probes,
        tags=azure_ids.standard_tags(
            context.project,
            context.stack,
            context.manifest.azure.tags,
            target.tags,
            service.tags,
            {"service": name},
        ),
    )


def _endpoint(context: Context, name: str, target: AciTarget, service: Service, where: str) -> Endpoint:
    for model in context.manifest.images[service.image].models:
        register_model(context, model)
    base, image = azure_parts.foundation(context), container_image(context, service.image)
    identity = azure_parts.service_identity(context, name, pulls=True)
    plain = _plain(context, name, target, service, where)
    collect = service.collect_model_data
    values = {field: getattr(plain, field) for field in plain.__dataclass_fields__}
    values |= {
        "image": image.reference,
        "registry_server": base.registry_server,
        "identity_id": identity.identity_id,
        "identity_client_id": identity.client_id,
        "identity_principal_id": identity.principal_id,
        "needs": identity.grants,
        "resource_group": base.resource_group,
        "resource_group_id": base.resource_group_id,
        "golden": [request.model_dump(exclude_none=True, mode="json") for request in service.golden],
        "primary_key": secrets.optional(context, service.primary_key),
        "secondary_key": secrets.optional(context, service.secondary_key),
        "ssl": secrets.tls_files(context, service.ssl),
        "environment_variables": plain_variables(context.manifest.images[service.image]),
        "secret_environment": secret_variables(context, context.manifest.images[service.image]),
        "app_insights_connection": base.app_insights_connection if service.enable_app_insights else None,
    }
    if target.log_analytics:
        values |= _log_analytics(base)
    if collect is not None and collect.enabled:
        values["collect_model_data"] = collect.model_dump(exclude_none=True)
        values["collect_destination"] = collect.destination or base.collected_data_url
    endpoint = AciEndpoint(name, AciEndpointArgs(**values))
    return Endpoint.of(endpoint, auth=service.auth_enabled)


def _log_analytics(base: Foundation) -> dict[str, pulumi.Output[str]]:
    """The stack's workspace as Container Instances want it: by its customer id and a key, which is a secret."""
    from pulumi_azure_native import operationalinsights

    ident = base.log_analytics_id.apply(azure_ids.parse)
    group, name = ident.apply(lambda found: found.group), ident.apply(lambda found: found.name)
    found = operationalinsights.get_workspace_output(resource_group_name=group, workspace_name=name)
    keys = operationalinsights.get_shared_keys_output(resource_group_name=group, workspace_name=name)
    return {
        "log_analytics_id": found.customer_id,
        "log_analytics_key": pulumi.Output.secret(keys.apply(lambda pair: pair.primary_shared_key or "")),
    }
