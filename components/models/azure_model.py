"""`AzureModel`: a model's files and its name and version in an Azure ML workspace."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

import pulumi
from pulumi_azure_native import machinelearningservices as ml

from components.base import Component, ComponentArgs
from components.context import Context, complaints
from components.foundation import stack
from components.foundation.storage import MODELS_CONTAINER
from components.sdk.azure import ModelFiles, SharedModel

MODEL_TYPES = ("custom_model", "mlflow_model", "triton_model")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,254}")
# https://learn.microsoft.com/azure/machine-learning/how-to-manage-models (job output)
_JOB = re.compile(r"azureml://jobs/[^/]+/outputs/[^/]+/paths(/.*)?")
_BEFORE = "azure-native:machinelearningservices:ModelVersion"


@dataclass(frozen=True, kw_only=True)
class AzureModelArgs(ComponentArgs):
    """Arguments of :class:`AzureModel`."""

    source: str
    """A file or folder relative to the project, `runs:/<run id>/<path>`, or `azureml://jobs/<job>/outputs/<name>/paths/…`."""
    resource_group: pulumi.Input[str]
    """The workspace's resource group."""
    workspace: pulumi.Input[str]
    """The workspace's name."""
    datastore_uri: pulumi.Input[str]
    """The start of URIs in the models' datastore, `azureml://…/paths`."""
    account_url: pulumi.Input[str]
    """The storage account behind it, `https://<account>.blob.core.windows.net`."""
    container: str = MODELS_CONTAINER
    """The container of the files in that account."""
    shared_workspace_id: pulumi.Input[str] | None = None
    """The workspace's resource id, where it is not the stack's own: what others registered there is theirs."""
    needs: Sequence[pulumi.Resource] = ()
    """What has to be there before files are uploaded: the container, and the right to write to it."""
    version: str | None = None
    """A pinned, immutable version. Default: the first 12 digits of the content's digest."""
    description: str = ""
    """What the model predicts, for people."""
    tags: Mapping[str, str] = field(default_factory=dict[str, str])
    """Labels to search and to write policies by."""
    properties: Mapping[str, str] = field(default_factory=dict[str, str])
    """Facts that never change for a version."""
    model_type: str = "custom_model"
    """`custom_model`, `mlflow_model` (a folder with `MLmodel`) or `triton_model`."""


class AzureModel(Component):
    """A registered model in Azure ML. Its files are uploaded once by content; a job's output is registered where it
    is. A version never changes: new content is a new version, and the old one goes once nothing uses it.

    The component's name is the model's name.
    """

    group: ClassVar[str] = "model"

    model_name: pulumi.Output[str]
    version: pulumi.Output[str]
    digest: pulumi.Output[str]
    asset_id: pulumi.Output[str]
    uri: pulumi.Output[str]

    def __init__(self, name: str, args: AzureModelArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        validate(name, args)
        super().__init__(name, opts, args.customize)
        if args.source.startswith("azureml:"):
            # Outputs of a finished job do not change, so their address stands for their content.
            digest = pulumi.Output.from_input(hashlib.sha256(args.source.encode()).hexdigest())
            version = (
                pulumi.Output.from_input(args.version) if args.version else digest.apply(lambda d: d[:12])
            )
            uri = pulumi.Output.from_input(args.source)
        else:
            files = ModelFiles(
                f"{name}-files",
                account_url=args.account_url,
                container=args.container,
                name=name,
                source=args.source,
                version=args.version,
                opts=self.child(depends_on=list(args.needs)),
            )
            digest, version = files.digest, files.model_version
            uri = pulumi.Output.concat(args.datastore_uri, "/", files.path)
        asset_id, there = self._shared(name, args, version, digest, uri)
        self.publish(
            {
                "model_name": name,
                # Known in a preview, and not before the version is registered.
                "version": pulumi.Output.all(version, there).apply(lambda pair: str(pair[0])),
                "digest": digest,
                "asset_id": asset_id,
                "uri": uri,
            }
        )

    def _shared(
        self,
        name: str,
        args: AzureModelArgs,
        version: pulumi.Output[str],
        digest: pulumi.Output[str],
        uri: pulumi.Output[str],
    ) -> tuple[pulumi.Output[str], pulumi.Output[str]]:
        """The registered version's id and URN; in a workspace of others beside what is theirs."""
        if args.shared_workspace_id is None:
            registered = self._own(name, args, version, digest, uri)
            return registered.id, registered.urn
        found = SharedModel(
            f"{name}-version",
            workspace_id=args.shared_workspace_id,
            name=name,
            version=version,
            content=digest,
            uri=uri,
            model_type=args.model_type,
            description=args.description,
            tags=args.tags,
            properties=args.properties,
            # States of before have azure-native's version. It is the same object on Azure, so it has to go first.
            opts=self.child(aliases=[pulumi.Alias(type_=_BEFORE)]),
        )
        return found.asset_id, found.urn

    def _own(
        self,
        name: str,
        args: AzureModelArgs,
        version: pulumi.Output[str],
        digest: pulumi.Output[str],
        uri: pulumi.Output[str],
    ) -> ml.ModelVersion:
        container = ml.ModelContainer(
            f"{name}-container",
            resource_group_name=args.resource_group,
            workspace_name=args.workspace,
            name=name,
            properties=ml.ModelContainerPropertiesArgs(description=args.description, tags=dict(args.tags)),
            opts=self.child(),
        )
        return ml.ModelVersion(
            f"{name}-version",
            resource_group_name=args.resource_group,
            workspace_name=args.workspace,
            name=container.name,
            version=version,
            properties=ml.ModelVersionPropertiesArgs(
                model_type=args.model_type,
                model_uri=uri,
                description=args.description,
                tags=dict(args.tags),
                properties={**args.properties, "mldeploy.digest": digest},
            ),
            # Two versions stand side by side until everything uses the new one.
            opts=self.child(delete_before_replace=False),
        )


def validate(name: str, args: AzureModelArgs) -> None:
    """Everything that can be known before the first resource.

    Raises:
        ValueError: what is wrong, and what is allowed.
    """
    for what, text in (("name", name), ("version", args.version)):
        if text is not None and not _NAME.fullmatch(text):
            raise ValueError(
                f"model {name!r}: {what} {text!r}; allowed: 1-255 letters, digits, '.', '_' and '-'"
            )
    if args.model_type not in MODEL_TYPES:
        raise ValueError(f"model {name!r}: type {args.model_type!r}; allowed: {', '.join(MODEL_TYPES)}")
    if args.source.startswith("azureml:") and not _JOB.fullmatch(args.source):
        raise ValueError(
            f"model {name!r}: source {args.source!r}; allowed: azureml://jobs/<job>/outputs/<name>/paths/<path>, "
            "runs:/<run id>/<path>, or a path"
        )


def in_workspace(context: Context, name: str) -> AzureModel:
    """The manifest's model in the stack's workspace, registered once."""

    def make() -> AzureModel:
        model, base = context.manifest.models[name], stack.foundation(context)
        framework = {
            "framework": model.model_framework,
            "framework_version": model.model_framework_version,
        }
        args = AzureModelArgs(
            source=model.source,
            resource_group=stack.workspace_group(context),
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
        )
        with complaints(f"models.{name}"):
            return AzureModel(name, args)

    registered = context.shared(("azure", "model", name), make)
    context.registered[name] = registered
    return registered
