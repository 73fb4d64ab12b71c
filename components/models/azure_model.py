"""`AzureModel`: a model's files and its name and version in an Azure ML workspace."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

import pulumi
from pulumi_azure_native import machinelearningservices as ml

from components.base import Component
from components.foundation.storage import MODELS_CONTAINER
from components.sdk.azure import ModelFiles

MODEL_TYPES = ("custom_model", "mlflow_model", "triton_model")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,254}")
_JOB = re.compile(r"azureml://jobs/[^/]+/outputs/.+")


@dataclass(frozen=True, kw_only=True)
class AzureModelArgs:
    """Arguments of :class:`AzureModel`."""

    source: str
    """A file or folder relative to the project, `runs:/<run id>/<path>`, or `azureml://jobs/<job>/outputs/…`."""
    resource_group: pulumi.Input[str]
    """The workspace's resource group."""
    workspace: pulumi.Input[str]
    """The workspace's name."""
    datastore_uri: pulumi.Input[str]
    """The start of URIs in the models' datastore, `azureml://…/paths`."""
    account_url: pulumi.Input[str]
    """The storage account behind it, `https://<account>.blob.core.windows.net`."""
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
        super().__init__(name, opts)
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
                container=MODELS_CONTAINER,
                name=name,
                source=args.source,
                version=args.version,
                opts=self.child(),
            )
            digest, version = files.digest, files.model_version
            uri = pulumi.Output.concat(args.datastore_uri, "/", files.path)
        container = ml.ModelContainer(
            f"{name}-container",
            resource_group_name=args.resource_group,
            workspace_name=args.workspace,
            name=name,
            properties=ml.ModelContainerPropertiesArgs(description=args.description, tags=dict(args.tags)),
            opts=self.child(),
        )
        registered = ml.ModelVersion(
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
        self.publish(
            {
                "model_name": container.name,
                # Known in a preview, and not before the version is registered.
                "version": pulumi.Output.all(version, registered.urn).apply(lambda pair: str(pair[0])),
                "digest": digest,
                "asset_id": registered.id,
                "uri": uri,
            }
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
            f"model {name!r}: source {args.source!r}; allowed: azureml://jobs/<job>/outputs/<path>, "
            "runs:/<run id>/<path>, or a path"
        )
