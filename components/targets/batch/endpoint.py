"""`BatchEndpoint`: scoring of many files on Azure ML compute, with the same entry script."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import pulumi
from pulumi_azure_native import machinelearningservices as ml

from components import naming
from components.base import Component, ComponentArgs
from components.foundation import outputs
from components.foundation.storage import MODELS_CONTAINER
from components.sdk.azure import EndpointDefaults, ModelFiles

_NAME = re.compile(r"[a-zA-Z](?!.*--)[a-zA-Z0-9-]{1,30}[a-zA-Z0-9]")
_COMPUTE = re.compile(r"[a-zA-Z](?!.*--)[a-zA-Z0-9-]{0,30}[a-zA-Z0-9]")
_CRON_FIELDS = 5


@dataclass(frozen=True, kw_only=True)
class BatchEndpointArgs(ComponentArgs):
    """Arguments of :class:`BatchEndpoint`."""

    image: pulumi.Input[str]
    """The scoring image, by digest."""
    image_version: pulumi.Input[str]
    """The version of the environment made of it: the image's digest."""
    model_id: pulumi.Input[str]
    """The registered model's resource id."""
    model_name: str
    """Its name."""
    model_version: pulumi.Input[str]
    """Its version."""
    environment_variables: Mapping[str, str] = field(default_factory=dict[str, str])
    """Of the entry script."""
    resource_group: pulumi.Input[str]
    """The workspace's resource group."""
    workspace: pulumi.Input[str]
    """The workspace's name."""
    location: pulumi.Input[str]
    """The workspace's region: its endpoints are nowhere else."""
    account_url: pulumi.Input[str]
    """The storage account for the adapter script, `https://<account>.blob.core.windows.net`."""
    identity_id: pulumi.Input[str]
    """The user-assigned identity of the nodes."""
    identity_client_id: pulumi.Input[str]
    """Its client id, for `DefaultAzureCredential` in the script."""
    container: str = MODELS_CONTAINER
    """The container for it in that account."""
    prefix: str = "mldeploy"
    """How the names of environment, code and schedule begin: with the stack's in a shared workspace."""
    needs: Sequence[pulumi.Resource] = ()
    """What that identity has to be given before nodes work as it."""
    upload_needs: Sequence[pulumi.Resource] = ()
    """What an upload to the storage account needs."""
    adapter: str
    """The folder with `batch_adapter.py`, relative to the project (see `mldeploy.imaging.batch`)."""
    endpoint_name: pulumi.Input[str]
    """The endpoint's name: 3-32 letters, digits and hyphens; one a region, over all customers."""
    compute_name: str
    """The cluster's name."""
    compute_location: pulumi.Input[str] | None = None
    """The cluster's region. Default: the workspace's."""
    compute_id: pulumi.Input[str] | None = None
    """The resource id of an existing cluster to use instead."""
    vm_size: str = "Standard_DS3_v2"
    """The nodes' VM size."""
    vm_priority: str = "dedicated"
    """Only `dedicated`: low-priority nodes ended in March 2026."""
    min_nodes: int = 0
    """Nodes while idle; 0 costs nothing."""
    max_nodes: int = 4
    """The most nodes."""
    idle_seconds: int = 300
    """How long an idle node is kept."""
    subnet_id: pulumi.Input[str] | None = None
    """The nodes' subnet."""
    mini_batch_size: int = 10
    """Files for one call of the adapter."""
    max_concurrency_per_instance: int = 1
    """Calls at a time on one node."""
    error_threshold: int = -1
    """Failed files that fail the job; -1: none does."""
    max_retries: int = 3
    """Attempts for a failed mini batch."""
    timeout_seconds: int = 300
    """For one mini batch."""
    instance_count: int = 1
    """Nodes of one job."""
    output_action: str = "AppendRow"
    """`AppendRow`: one file with all answers; `SummaryOnly`: the script writes its own."""
    output_file_name: str = "predictions.csv"
    """The file of `AppendRow`."""
    logging_level: str = "Info"
    """`Debug`, `Info` or `Warning`."""
    schedule: str | None = None
    """A cron expression at which the endpoint is invoked on `schedule_input`."""
    schedule_time_zone: str = "UTC"
    """The time zone of `schedule`."""
    schedule_input: str | None = None
    """The folder to score then, `azureml://datastores/…/paths/…`."""
    description: str = ""
    """For people."""
    tags: Mapping[str, str] = field(default_factory=dict[str, str])
    """Tags of endpoint, deployment and compute."""


class BatchEndpoint(Component):
    """A batch endpoint with one deployment on its own cluster. A new image or model is a new deployment, which becomes
    the default once it exists; the old one goes after that, so that a job always finds its deployment.
    """

    group: ClassVar[str] = "service"

    scoring_uri: pulumi.Output[str]
    endpoint_id: pulumi.Output[str]
    deployment: pulumi.Output[str]
    compute_id: pulumi.Output[str]

    def __init__(
        self, name: str, args: BatchEndpointArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        validate(name, args)
        super().__init__(name, opts, args.customize)
        self._name, self._args = name, args
        self._where: dict[str, Any] = {
            "resource_group_name": args.resource_group,
            "workspace_name": args.workspace,
        }
        roles = list(args.needs)
        compute_id = pulumi.Output.from_input(args.compute_id) if args.compute_id else self._compute().id
        environment = self._environment()
        code = self._code()
        endpoint = ml.BatchEndpoint(
            f"{name}-endpoint",
            **self._where,
            endpoint_name=args.endpoint_name,
            location=args.location,
            identity=ml.ManagedServiceIdentityArgs(type="SystemAssigned"),
            properties=ml.BatchEndpointPropertiesArgs(auth_mode="AADToken", description=args.description),
            tags=dict(args.tags),
            # The default deployment is set by a resource of its own, after the deployment exists.
            opts=self.child(ignore_changes=["properties.defaults"]),
        )
        deployment = self._deployment(endpoint, compute_id, environment, code, roles)
        defaults = EndpointDefaults(
            f"{name}-default",
            endpoint_id=endpoint.id,
            deployment=deployment.name,
            # Each write of the endpoint leaves the default out, and so clears it.
            revision=naming.short_hash(
                args.description, json.dumps(dict(args.tags), sort_keys=True), length=16
            ),
            # Also after an update of the endpoint, whose id stays the same.
            opts=self.child(depends_on=[endpoint]),
        )
        if args.schedule:
            self._schedule(endpoint, defaults)
        self.publish(
            {
                "scoring_uri": outputs.answered(endpoint, endpoint.properties).apply(
                    lambda found: str(outputs.field(found, "scoring_uri") or "")
                ),
                "endpoint_id": endpoint.id,
                "deployment": deployment.name,
                "compute_id": compute_id,
            }
        )

    def _compute(self) -> ml.Compute:
        args = self._args
        return ml.Compute(
            f"{self._name}-compute",
            **self._where,
            compute_name=args.compute_name,
            location=args.compute_location or args.location,
            identity=ml.ManagedServiceIdentityArgs(
                type="UserAssigned", user_assigned_identities=[args.identity_id]
            ),
            properties=ml.AmlComputeArgs(
                compute_type="AmlCompute",
                compute_location=args.compute_location or args.location,
                disable_local_auth=True,
                properties=ml.AmlComputePropertiesArgs(
                    vm_size=args.vm_size,
                    vm_priority="Dedicated",
                    os_type="Linux",
                    remote_login_port_public_access="Disabled",
                    enable_node_public_ip=args.subnet_id is None,
                    subnet=ml.ResourceIdArgs(id=args.subnet_id) if args.subnet_id else None,
                    scale_settings=ml.ScaleSettingsArgs(
                        min_node_count=args.min_nodes,
                        max_node_count=args.max_nodes,
                        node_idle_time_before_scale_down=f"PT{args.idle_seconds}S",
                    ),
                ),
            ),
            tags=dict(args.tags),
            opts=self.child(
                replace_on_changes=["properties.properties.vmSize", "properties.properties.subnet"],
                delete_before_replace=True,
                depends_on=list(args.needs),
            ),
        )

    def _environment(self) -> ml.EnvironmentVersion:
        args = self._args
        container = ml.EnvironmentContainer(
            f"{self._name}-environment",
            **self._where,
            name=naming.dns_label(self._args.prefix, self._name, limit=120),
            properties=ml.EnvironmentContainerPropertiesArgs(description=f"Scoring image of {self._name}"),
            opts=self.child(),
        )
        return ml.EnvironmentVersion(
            f"{self._name}-environment-version",
            **self._where,
            name=container.name,
            version=pulumi.Output.from_input(args.image_version).apply(_version),
            properties=ml.EnvironmentVersionPropertiesArgs(image=args.image, os_type="Linux"),
            opts=self.child(delete_before_replace=False),
        )

    def _code(self) -> ml.CodeVersion:
        """The adapter that hands a mini batch's files to the entry script in the image."""
        args = self._args
        files = ModelFiles(
            f"{self._name}-adapter",
            account_url=args.account_url,
            container=args.container,
            name=f"code-{self._name}",
            source=args.adapter,
            opts=self.child(depends_on=list(args.upload_needs)),
        )
        container = ml.CodeContainer(
            f"{self._name}-code",
            **self._where,
            name=naming.dns_label(self._args.prefix, self._name, limit=120),
            properties=ml.CodeContainerPropertiesArgs(description=f"Batch adapter of {self._name}"),
            opts=self.child(),
        )
        return ml.CodeVersion(
            f"{self._name}-code-version",
            **self._where,
            name=container.name,
            version=files.model_version,
            properties=ml.CodeVersionPropertiesArgs(
                code_uri=pulumi.Output.concat(args.account_url, "/", args.container, "/", files.path)
            ),
            opts=self.child(delete_before_replace=False),
        )

    def _deployment(
        self,
        endpoint: ml.BatchEndpoint,
        compute_id: pulumi.Output[str],
        environment: ml.EnvironmentVersion,
        code: ml.CodeVersion,
        roles: list[pulumi.Resource],
    ) -> ml.BatchDeployment:
        args = self._args
        parts = pulumi.Output.all(args.image_version, args.model_version, code.name)
        return ml.BatchDeployment(
            f"{self._name}-deployment",
            **self._where,
            endpoint_name=endpoint.name,
            # Named by what it runs: a new image or model is a new deployment beside the old one.
            deployment_name=parts.apply(lambda found: f"d-{naming.short_hash(*map(str, found), length=12)}"),
            location=args.location,
            properties=ml.BatchDeploymentPropertiesArgs(
                description=args.description,
                compute=compute_id,
                environment_id=environment.id,
                environment_variables={
                    **args.environment_variables,
                    "MLDEPLOY_MODEL": args.model_name,
                    "AZURE_CLIENT_ID": args.identity_client_id,
                },
                code_configuration=ml.CodeConfigurationArgs(
                    code_id=code.id, scoring_script="batch_adapter.py"
                ),
                model=ml.IdAssetReferenceArgs(asset_id=args.model_id, reference_type="Id"),
                mini_batch_size=args.mini_batch_size,
                max_concurrency_per_instance=args.max_concurrency_per_instance,
                error_threshold=args.error_threshold,
                retry_settings=ml.BatchRetrySettingsArgs(
                    max_retries=args.max_retries, timeout=f"PT{args.timeout_seconds}S"
                ),
                resources=ml.DeploymentResourceConfigurationArgs(instance_count=args.instance_count),
                output_action=args.output_action,
                output_file_name=args.output_file_name,
                logging_level=args.logging_level,
            ),
            tags=dict(args.tags),
            opts=self.child(depends_on=roles, delete_before_replace=False),
        )

    def _schedule(self, endpoint: ml.BatchEndpoint, defaults: EndpointDefaults) -> None:
        args = self._args
        ml.Schedule(
            f"{self._name}-schedule",
            **self._where,
            name=naming.dns_label(self._args.prefix, self._name, limit=120),
            properties=ml.SchedulePropertiesArgs(
                display_name=self._name,
                is_enabled=True,
                trigger=ml.CronTriggerArgs(
                    trigger_type="Cron", expression=args.schedule or "", time_zone=args.schedule_time_zone
                ),
                action=ml.EndpointScheduleActionArgs(
                    action_type="InvokeBatchEndpoint",
                    endpoint_invocation_definition={
                        "endpointName": endpoint.name,
                        "inputData": {
                            "data": {
                                "jobInputType": "uri_folder",
                                "uri": args.schedule_input,
                                "mode": "ReadOnlyMount",
                            }
                        },
                    },
                ),
            ),
            opts=self.child(depends_on=[defaults]),
        )


def _version(image_digest: str) -> str:
    return image_digest.removeprefix("sha256:")[:32]


def validate(name: str, args: BatchEndpointArgs) -> None:
    """Everything that can be known before the first resource.

    Raises:
        ValueError: what is wrong, and what is allowed.
    """
    if isinstance(args.endpoint_name, str) and not _NAME.fullmatch(args.endpoint_name):
        raise ValueError(
            f"service {name!r}: endpoint name {args.endpoint_name!r}; allowed: 3-32 letters, digits, single hyphens, "
            "starting with a letter"
        )
    if not _COMPUTE.fullmatch(args.compute_name):
        raise ValueError(
            f"service {name!r}: compute name {args.compute_name!r}; allowed: 2-32 letters, digits, hyphens"
        )
    if args.vm_priority.lower().replace("_", "") != "dedicated":
        raise ValueError(
            f"service {name!r}: vm_priority {args.vm_priority!r}; allowed: dedicated (low-priority nodes ended in "
            "March 2026)"
        )
    limits = {
        "min_nodes": (args.min_nodes, 0),
        "max_nodes": (args.max_nodes, max(args.min_nodes, 1)),
        "idle_seconds": (args.idle_seconds, 0),
        "instance_count": (args.instance_count, 1),
        "mini_batch_size": (args.mini_batch_size, 1),
        "max_concurrency_per_instance": (args.max_concurrency_per_instance, 1),
        "error_threshold": (args.error_threshold, -1),
        "max_retries": (args.max_retries, 0),
        "timeout_seconds": (args.timeout_seconds, 1),
    }
    for what, (value, least) in limits.items():
        if value < least:
            raise ValueError(f"service {name!r}: {what} is {value}; allowed: at least {least}")
    if args.output_action not in ("AppendRow", "SummaryOnly"):
        raise ValueError(
            f"service {name!r}: output_action {args.output_action!r}; allowed: AppendRow, SummaryOnly"
        )
    if args.schedule is not None:
        if len(args.schedule.split()) != _CRON_FIELDS:
            raise ValueError(
                f"service {name!r}: schedule {args.schedule!r}; allowed: five cron fields, '0 2 * * *'"
            )
        if not args.schedule_input:
            raise ValueError(f"service {name!r}: a schedule needs schedule_input: the folder to score")
