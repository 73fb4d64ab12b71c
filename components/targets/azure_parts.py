"""What the targets on Azure share: the foundation, models in Azure ML, images in the registry. Each exists once."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pulumi

from components import azure_ids, secrets
from components.azure_model import AzureModel, AzureModelArgs
from components.container_image import ContainerImage, ContainerImageArgs
from components.foundation import Foundation, FoundationArgs
from components.targets.context import Context
from mldeploy.content import ContentError, SqliteHashCache, digest_entries
from mldeploy.home import cache_dir
from mldeploy.imaging import BuildContext, ContextModel, ContextSpec, render
from mldeploy.imaging.context import ImageError
from mldeploy.manifest import Azure, Image, Model
from mldeploy.provider.store import model_entries
from mldeploy.sources import locate

NAME = "azure"
_PARTS = ("resource_group", "workspace", "storage", "key_vault", "registry", "app_insights", "log_analytics")
# What Azure ML's batch driver imports in the environment that it runs a deployment in.
BATCH_PACKAGES = ("azureml-core", "azureml-dataset-runtime[fuse]")


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
        services = context.manifest.services.values()
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
                    deployer_principal_id=azure.deployer_principal_id,
                    deployer_type=azure.deployer_type,
                    registry_sku=azure.registry.sku,
                    log_retention_days=azure.log_analytics.retention_days,
                    collected_data=any(
                        s.collect_model_data and s.collect_model_data.enabled for s in services
                    ),
                    protect=azure.protect,
                ),
            ),
        )

    return context.shared(("azure", "foundation"), make)


def existing(azure: Azure) -> dict[str, str]:
    """The parts that the manifest says exist, by name."""
    found = {part: getattr(azure, part).existing for part in _PARTS}
    return {part: ident for part, ident in found.items() if ident is not None}


def workspace_group(context: Context) -> pulumi.Input[str]:
    """The workspace's resource group: that of an existing one may be another."""
    given = context.manifest.azure.workspace.existing
    return azure_ids.parse(given).group if given else foundation(context).resource_group


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


def model_version(root: Path, name: str, model: Model) -> str:
    """The version that a model gets: the pinned one, or what follows from its content.

    Raises:
        pulumi.RunError: its source cannot be read here.
    """
    if model.version:
        return model.version
    try:
        listed = model_entries(locate(model.source, root))
        return digest_entries(listed, SqliteHashCache(cache_dir() / "hashes.sqlite"))[:12]
    except ContentError as error:
        raise pulumi.RunError(f"models.{name}.source: {error}") from None


def build_context(context: Context, name: str, *, batch: bool = False) -> BuildContext:
    """The build context of an image, written under `build/images`.

    Raises:
        pulumi.RunError: the image cannot be built from what the manifest says.
    """
    root, image = Path.cwd(), context.manifest.images[name]
    models = [(key, context.manifest.models[key]) for key in image.models]
    spec = ContextSpec(
        image=f"{name}-batch" if batch else name,
        source_directory=image.source_directory,
        entry_script=image.entry_script,
        conda_file=image.conda_file,
        base_image=image.base_image,
        # Batch nodes get the model from the workspace.
        models=[]
        if batch
        else [ContextModel(name=k, version=model_version(root, k, m), source=m.source) for k, m in models],
        build_secrets=context.manifest.azure.builder == "docker",
        extra_requirements=BATCH_PACKAGES if batch else (),
        environment_variables=plain_variables(name, image),
    )
    try:
        return render(root, spec)
    except (ContentError, ImageError) as error:
        raise pulumi.RunError(f"images.{name}: {error}") from None


def container_image(context: Context, name: str, *, batch: bool = False) -> ContainerImage:
    """The image in the stack's registry, built once."""

    def make() -> ContainerImage:
        base, image, azure = foundation(context), context.manifest.images[name], context.manifest.azure
        made = build_context(context, name, batch=batch)
        given = azure.registry.existing
        logical = f"{name}-batch-image" if batch else f"{name}-image"
        return _named(
            f"images.{name}",
            lambda: ContainerImage(
                logical,
                ContainerImageArgs(
                    context=made.folder,
                    tag=made.tag,
                    repository=f"{context.project}/{name}{'-batch' if batch else ''}".lower().replace(
                        "_", "-"
                    ),
                    server=base.registry_server,
                    builder=azure.builder,
                    platform=image.platform,
                    registry_id=base.registry_id,
                    registry_name=base.registry_name,
                    resource_group=azure_ids.parse(given).group if given else base.resource_group,
                    base_registry=_base_registry(image),
                    build_secrets=_build_secrets(image),
                ),
            ),
        )

    return context.shared(("azure", "image", name, str(batch)), make)


def plain_variables(name: str, image: Image) -> dict[str, str]:
    """The image's variables that are no secrets.

    Raises:
        pulumi.RunError: one is a secret, which would stay readable in the image.
    """
    found: dict[str, str] = {}
    for key, value in image.environment_variables.items():
        if not isinstance(value, str):
            raise pulumi.RunError(
                f"images.{name}.environment_variables.{key}: secrets in an image's variables are not possible on "
                "Azure container targets in this version: read it from the key vault in init()"
            )
        found[key] = value
    return found


def _base_registry(image: Image) -> Mapping[str, pulumi.Input[str]] | None:
    registry = image.base_image_registry
    if registry is None or registry.username is None or registry.password is None:
        return None
    return {
        "address": registry.address,
        "username": registry.username,
        "password": secrets.resolve(registry.password),
    }


def _build_secrets(image: Image) -> dict[str, pulumi.Input[str]]:
    index = image.package_index
    if index is None:
        return {}
    if index.password is None:
        return {"PIP_INDEX_URL": index.url}
    scheme, rest = index.url.split("://", 1)
    user = index.username or "token"
    address = pulumi.Output.concat(scheme, "://", user, ":", secrets.resolve(index.password), "@", rest)
    return {"PIP_INDEX_URL": pulumi.Output.secret(address)}


def _named(where: str, make: Any) -> Any:
    """Say where in the manifest a component's complaint is about."""
    try:
        return make()
    except ValueError as error:
        raise pulumi.RunError(f"{where}: {error}") from None
