"""What the targets on Azure share: the foundation, models in Azure ML, images in the registry. Each exists once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pulumi

from components.context import Context
from components.foundation import ids as azure_ids
from components.foundation.deployer import deployer
from components.foundation.foundation import Foundation, FoundationArgs
from components.foundation.identity import ServiceIdentity, ServiceIdentityArgs
from components.foundation.roles import Role
from components.images.container_image import ContainerImage, ContainerImageArgs
from components.images.context import base_registry, build_context, package_index
from components.models.azure_model import AzureModel, AzureModelArgs
from mldeploy.manifest import Azure, KeyVaultRef, written_secrets

NAME = "azure"
_PARTS = ("resource_group", "workspace", "storage", "key_vault", "registry", "app_insights", "log_analytics")


def location(context: Context, own: str | None, where: str) -> str:
    """The region of a target.

    Raises:
        pulumi.RunError: neither the target nor `azure:` has one.
    """
    found = own or context.manifest.azure.location
    if found is None:
        raise pulumi.RunError(
            f"{where}: no location; give it, or `azure: {{location: westeurope}}` for the stack"
        )
    return found


def foundation(context: Context) -> Foundation:
    """The stack's foundation, made on first use."""

    def make() -> Foundation:
        azure = context.manifest.azure
        own = next(
            (found for t in context.manifest.targets.values() if (found := getattr(t, "location", None))),
            None,
        )
        return _named(
            "azure",
            lambda: Foundation(
                NAME,
                FoundationArgs(
                    project=context.project,
                    stack=context.stack,
                    location=location(context, azure.location or own, "azure"),
                    existing=existing(azure),
                    tags=dict(azure.tags),
                    deployer_principal_id=deployer(context).principal_id,
                    deployer_type=deployer(context).principal_type,
                    registry_sku=azure.registry.sku,
                    log_retention_days=azure.log_analytics.retention_days,
                    vault_secrets=_names_vault_secrets(context),
                    protect=azure.protect,
                ),
            ),
        )

    return context.shared(("azure", "foundation"), make)


def _names_vault_secrets(context: Context) -> bool:
    """Whether some secret is named by its name in the stack's own vault."""
    named = written_secrets(context.manifest.model_dump(exclude_none=True), "keyvault")
    return any(KeyVaultRef(keyvault=name).address[0] is None for _, name in named)


def existing(azure: Azure) -> dict[str, str]:
    """The parts that the manifest says exist, by name."""
    found = {part: getattr(azure, part).existing for part in _PARTS}
    return {part: ident for part, ident in found.items() if ident is not None}


def workspace_group(context: Context) -> pulumi.Input[str]:
    """The workspace's resource group: that of an existing one may be another."""
    given = context.manifest.azure.workspace.existing
    return azure_ids.parse(given).group if given else foundation(context).resource_group


def workspace_location(context: Context) -> pulumi.Input[str]:
    """The workspace's region: that of an existing one is asked from Azure."""
    given, base = context.manifest.azure.workspace.existing, foundation(context)
    if given is None:
        return base.location
    from pulumi_azure_native import machinelearningservices

    ident = azure_ids.parse(given)
    found = machinelearningservices.get_workspace_output(
        resource_group_name=ident.group, workspace_name=ident.name
    )
    # As `eastus`, however Azure shows it.
    return found.location.apply(lambda text: (text or "").replace(" ", "").lower())


def register_model(context: Context, name: str) -> AzureModel:
    """The model in the workspace, registered once."""

    def make() -> AzureModel:
        model, base = context.manifest.models[name], foundation(context)
        framework = {
            "framework": model.model_framework,
            "framework_version": model.model_framework_version,
        }
        return _named(
            f"models.{name}",
            lambda: AzureModel(
                name,
                AzureModelArgs(
                    source=model.source,
                    resource_group=workspace_group(context),
                    workspace=base.workspace,
                    datastore_uri=base.datastore_uri,
                    account_url=base.blob_endpoint,
                    container=base.models_container,
                    shared_workspace_id=context.manifest.azure.workspace.existing,
                    needs=base.upload_needs,
                    version=model.version,
                    description=model.description or "",
                    tags=dict(model.tags),
                    properties={**model.properties, **{k: v for k, v in framework.items() if v}},
                    model_type=model.model_type,
                ),
            ),
        )

    registered = context.shared(("azure", "model", name), make)
    context.registered[name] = registered
    return registered


def container_image(context: Context, name: str, *, batch: bool = False) -> ContainerImage:
    """The image in the stack's registry, built once."""

    def make() -> ContainerImage:
        base, image, azure = foundation(context), context.manifest.images[name], context.manifest.azure
        made = build_context(context, name, batch=batch)
        logical = f"{name}-batch-image" if batch else f"{name}-image"
        return _named(
            f"images.{name}",
            lambda: ContainerImage(
                logical,
                ContainerImageArgs(
                    context=made.folder,
                    tag=made.tag,
                    base_image=made.base_image,
                    repository=f"{context.project}/{name}{'-batch' if batch else ''}".lower().replace(
                        "_", "-"
                    ),
                    server=base.registry_server,
                    builder=azure.builder,
                    platform=image.platform,
                    registry_id=base.registry_id,
                    base_registry=base_registry(context, image),
                    build_secrets={"PIP_INDEX_URL": index}
                    if (index := package_index(context, image)) is not None
                    else {},
                ),
            ),
        )

    return context.shared(("azure", "image", name, str(batch)), make)


def service_identity(
    context: Context,
    name: str,
    *,
    folder: str | None = None,
    pulls: bool = False,
    account_roles: Mapping[Role, str] | None = None,
    settle_seconds: int | None = None,
) -> ServiceIdentity:
    """The identity of one service: it may pull where it ``pulls`` itself, and write what the service collects."""
    base, service = foundation(context), context.manifest.services[name]
    collect = service.collect_model_data
    own = collect is not None and collect.enabled and collect.destination is None
    return ServiceIdentity(
        f"{name}-identity",
        ServiceIdentityArgs(
            project=context.project,
            stack=context.stack,
            service=name,
            folder=folder,
            resource_group=base.resource_group,
            location=base.location,
            registry_id=base.registry_id if pulls else None,
            collected_id=base.collected_id if own else None,
            account_roles=account_roles or {},
            account_id=base.storage_id,
            settle_seconds=settle_seconds,
            tags=azure_ids.standard_tags(
                context.project, context.stack, context.manifest.azure.tags, {"service": name}
            ),
        ),
    )


def _named(where: str, make: Any) -> Any:
    """Say where in the manifest a component's complaint is about."""
    try:
        return make()
    except ValueError as error:
        raise pulumi.RunError(f"{where}: {error}") from None
