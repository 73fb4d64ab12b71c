"""What every target with containers makes of an image in the manifest: its build context, and its package index."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import quote

import pulumi

from components import naming, secrets
from components.context import Context, complaints
from components.images.container_image import ContainerImage, ContainerImageArgs, RegistryLogin
from components.images.serving_extras import serving_extras
from mldeploy.artifacts.content import ContentError, SqliteHashCache, digest_entries
from mldeploy.artifacts.sources import locate, model_entries
from mldeploy.home import cache_dir
from mldeploy.imaging import BuildContext, ContextModel, ContextSpec, render, training_runs
from mldeploy.imaging.context import ImageError
from mldeploy.manifest import Image, Model, Registry
from mldeploy.manifest.kinds import kind
from mldeploy.manifest.markers import CLUSTER

# What Azure ML's batch driver imports in the environment that it runs a deployment in.
BATCH_PACKAGES = ("azureml-core", "azureml-dataset-runtime[fuse]")


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


def model_versions(context: Context, image: str) -> dict[str, str]:
    """The versions of an image's models: they are in the image too; in a service's settings a diff and `status` show
    them.

    Raises:
        pulumi.RunError: a source cannot be read here.
    """
    models = [(name, context.manifest.models[name]) for name in context.manifest.images[image].models]
    _check_models(image, models, batch=False)
    return {name: model_version(Path.cwd(), name, model) for name, model in models}


def build_context(context: Context, name: str, *, batch: bool = False, local: bool = False) -> BuildContext:
    """The build context of an image, written under `build/images`.

    Args:
        context: the manifest.
        name: the image's name in it.
        batch: the variant for Azure ML's batch nodes, which get models from the workspace.
        local: the variant for this machine's own engine, which can mount build secrets.

    Raises:
        pulumi.RunError: the image cannot be built from what the manifest says.
    """
    root, image = Path.cwd(), context.manifest.images[name]
    models = [(key, context.manifest.models[key]) for key in image.models]
    _check_models(name, models, batch=batch)
    spec = ContextSpec(
        image=f"{name}-batch" if batch else name,
        source_directory=image.source_directory,
        entry_script=image.entry_script,
        conda_file=image.conda_file,
        base_image=_base_image(root, name, image),
        # Batch nodes get the model from the workspace.
        models=[]
        if batch
        else [ContextModel(name=k, version=model_version(root, k, m), source=m.source) for k, m in models],
        build_secrets=local or context.manifest.azure.builder == "docker",
        extra_requirements=BATCH_PACKAGES if batch else (),
        serving_extras=() if batch else serving_extras(context, name),
    )
    try:
        return render(root, spec)
    except (ContentError, ImageError) as error:
        raise pulumi.RunError(f"images.{name}: {error}") from None


def _azure_login(scope: str) -> str:
    from mldeploy.provider.azure import arm
    from mldeploy.provider.framework.resource import ProvisionError

    try:
        return arm.token(scope)
    except ProvisionError as error:
        raise ContentError(str(error)) from None


def _base_image(root: Path, name: str, image: Image) -> str | None:
    """The base image's name; that of a training run is looked up."""
    if image.base_image is None or not image.base_image.startswith(training_runs.PREFIX):
        return image.base_image
    registry = image.base_image_registry.address if image.base_image_registry else None
    try:
        return training_runs.base_image(image.base_image, root, registry, login=_azure_login)
    except ContentError as error:
        raise pulumi.RunError(f"images.{name}.base_image: {error}") from None


def _check_models(name: str, models: list[tuple[str, Model]], *, batch: bool) -> None:
    """Files that are only in Azure cannot get into an image that is described here."""
    for key, model in models:
        if not batch and model.source.startswith("azureml:"):
            raise pulumi.RunError(
                f"images.{name}.models: {key} is {model.source}, which is in Azure ML and not on this machine; a "
                "container image needs the files: fetch them with `az ml job download` and give their path, give "
                "runs:/<run id>/<path>, or put the service on a target of type batch"
            )


def plain_variables(image: Image) -> dict[str, str]:
    """The image's environment variables that are no secrets. They are the service's too: in a layer of the image they
    would be out of a review's sight, and another value would build it anew."""
    return {key: value for key, value in image.environment_variables.items() if isinstance(value, str)}


def secret_variables(context: Context, image: Image) -> dict[str, pulumi.Output[str]]:
    """The image's secret environment variables, which its containers get when they start."""
    variables = image.environment_variables.items()
    return {key: secrets.resolve(context, value) for key, value in variables if not isinstance(value, str)}


def package_index(context: Context, image: Image) -> pulumi.Input[str] | None:
    """The address of the image's private package index, secret when it has a password."""
    index = image.package_index
    if index is None:
        return None
    if index.password is None:
        return index.url
    scheme, rest = index.url.split("://", 1)
    # In an address, `@`, `/`, `#` and `%` of a password mean something else.
    user = quote(index.username or "token", safe="")
    password = secrets.resolve(context, index.password).apply(lambda text: quote(text, safe=""))
    address = pulumi.Output.concat(scheme, "://", user, ":", password, "@", rest)
    return pulumi.Output.secret(address)


def registry_login(context: Context, registry: Registry | None) -> RegistryLogin | None:
    """How to log in to a registry of the manifest; None where nobody does."""
    if registry is None or registry.username is None or registry.password is None:
        return None
    password = secrets.resolve(context, registry.password)
    return RegistryLogin(address=registry.address, username=registry.username, password=password)


def container_image(
    context: Context, name: str, registry: Registry | None = None, *, batch: bool = False
) -> ContainerImage:
    """The image, built once and pushed to a registry.

    Args:
        context: the manifest.
        name: the image's name in it.
        registry: a registry of a target's own, which the local Docker engine pushes to. Default: the stack's on Azure.
        batch: the variant for Azure ML's batch nodes.
    """

    def make() -> ContainerImage:
        image, made = context.manifest.images[name], build_context(context, name, batch=batch)
        suffix = "-batch" if batch else ""
        shared = {
            "context": made.folder,
            "tag": made.tag,
            "base_image": made.base_image,
            "packages": made.packages,
            "repository": f"{context.project}/{name}{suffix}".lower().replace("_", "-"),
            "platform": image.platform,
            "base_registry": registry_login(context, image.base_image_registry),
            "package_index": package_index(context, image),
        }
        with complaints(f"images.{name}"):
            return ContainerImage(
                f"{name}{suffix}-image" if registry is None else _logical(context, name, registry),
                ContainerImageArgs(**shared, **_place(context, registry)),
            )

    return context.shared(("image", registry.address if registry else "", name, str(batch)), make)


def _place(context: Context, registry: Registry | None) -> dict[str, Any]:
    """Where the image goes, and who builds it."""
    if registry is not None:
        return {
            "server": registry.address,
            "builder": "docker",
            "login": registry_login(context, registry),
        }
    # The SDK of Azure takes seconds to import: a stack with a registry of its own does not pay.
    from components.foundation import stack

    azure, base = context.manifest.azure, stack.foundation(context)
    return {
        "server": base.registry_server,
        "builder": azure.builder,
        "registry_id": base.registry_id,
    }


def _logical(context: Context, name: str, registry: Registry) -> str:
    """An image that only one registry has is called by its name alone."""
    manifest = context.manifest
    targets = {one.target for one in manifest.services.values() if one.image == name}
    registries = {str(getattr(manifest.targets[one], "registry", None)) for one in targets}
    short = len(registries) == 1 and all(
        kind(manifest.targets[one].type).has(CLUSTER, None) for one in targets
    )
    return f"{name}-image" if short else f"{name}-{naming.dns_label(registry.address)}-image"
