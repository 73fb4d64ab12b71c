"""`type: batch`: services that score files on Azure ML compute."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import pulumi

from components import naming
from components.context import Context, Endpoint
from components.foundation import ids as azure_ids
from components.foundation import stack as azure_parts
from components.foundation.roles import Role
from components.images.context import container_image, plain_variables
from components.models.azure_model import in_workspace as register_model
from components.targets.batch.endpoint import BatchEndpoint, BatchEndpointArgs
from mldeploy.imaging.batch import write_adapter
from mldeploy.manifest import Service
from mldeploy.manifest.batch import Batch
from mldeploy.manifest.kinds.batch import BatchTarget

__all__ = ["deploy", "register_model"]
# Nodes read models and data and write results; Parallel Run Step hands out its mini batches by queues and tables, and
# without account keys the nodes' identity needs those rights too:
# https://learn.microsoft.com/azure/machine-learning/how-to-disable-local-auth-storage
_ROLES: Final[dict[Role, str]] = {
    "Storage Blob Data Contributor": "data",
    "Storage Queue Data Contributor": "queues",
    "Storage Table Data Contributor": "tables",
}
# A compute is given its identity by an id, which the directory's replicas may not have yet; jobs come later.
_SETTLE_SECONDS: Final = 120


def deploy(
    context: Context, name: str, target: BatchTarget, services: Mapping[str, Service]
) -> dict[str, Endpoint]:
    """One :class:`BatchEndpoint` a service.

    Raises:
        pulumi.RunError: the manifest asks for something that batch endpoints do not have.
    """
    where = azure_parts.location(context, target.location, f"targets.{name}")
    # In a workspace of the stack's own, nobody else has such names.
    shared = context.manifest.azure.workspace.existing is not None
    whose = (context.project, context.stack) if shared else ()
    names = {key: naming.dns_label(name, key, *whose, limit=32) for key in services}
    return {key: _endpoint(context, key, target, where, names[key]) for key in services}


def _endpoint_name(context: Context, name: str, subscription: str) -> str:
    """Unique in a region over all customers, who may all run this sample."""
    own = naming.short_hash(context.project, subscription, length=8)
    return naming.dns_label(name, context.stack, own, limit=32)


def _endpoint(context: Context, name: str, target: BatchTarget, where: str, compute: str) -> Endpoint:
    service = context.manifest.services[name]
    (name_of_model,) = context.manifest.images[service.image].models
    model, base = register_model(context, name_of_model), azure_parts.foundation(context)
    image = container_image(context, service.image, batch=True)
    identity = azure_parts.service_identity(
        context, name, pulls=True, account_roles=_ROLES, settle_seconds=_SETTLE_SECONDS
    )
    shared = context.manifest.azure.workspace.existing is not None
    whose = (context.project, context.stack) if shared else ()
    try:
        endpoint = BatchEndpoint(
            name,
            BatchEndpointArgs(
                image=image.reference,
                image_version=image.digest,
                model_id=model.asset_id,
                model_name=name_of_model,
                environment_variables=plain_variables(context.manifest.images[service.image]),
                model_version=model.version,
                resource_group=azure_parts.workspace_group(context),
                workspace=base.workspace,
                location=azure_parts.workspace_location(context),
                compute_location=where,
                account_url=base.blob_endpoint,
                identity_id=identity.identity_id,
                identity_client_id=identity.client_id,
                needs=identity.grants,
                container=base.models_container,
                prefix="-".join(("mldeploy", *whose)),
                upload_needs=base.upload_needs,
                adapter=write_adapter(Path.cwd()),
                endpoint_name=base.resource_group_id.apply(
                    lambda group: _endpoint_name(context, name, azure_ids.parse(group).subscription)
                ),
                compute_name=compute,
                compute_id=target.existing,
                vm_size=target.vm_size,
                vm_priority=target.vm_priority,
                min_nodes=target.min_nodes,
                max_nodes=target.max_nodes,
                idle_seconds=target.idle_seconds_before_scaledown,
                subnet_id=target.subnet_id,
                **_settings(service.batch or Batch()),
                description=service.description or "",
                tags=azure_ids.standard_tags(
                    context.project,
                    context.stack,
                    context.manifest.azure.tags,
                    target.tags,
                    service.tags,
                    {"service": name},
                ),
            ),
        )
    except ValueError as error:
        raise pulumi.RunError(str(error)) from None
    return Endpoint(endpoint.scoring_uri, "")


def _settings(batch: Batch) -> dict[str, Any]:
    """How files become mini batches and answers, by the arguments' names."""
    schedule = batch.schedule if batch.schedule and batch.schedule.enabled else None
    return {
        "instance_count": batch.instance_count,
        "mini_batch_size": batch.mini_batch_size,
        "max_concurrency_per_instance": batch.max_concurrency_per_instance,
        "error_threshold": batch.error_threshold,
        "max_retries": batch.retry_settings.max_retries,
        "timeout_seconds": int(batch.retry_settings.timeout),
        "output_action": "AppendRow" if batch.output_action == "append_row" else "SummaryOnly",
        "output_file_name": batch.output_file_name,
        "logging_level": batch.logging_level.capitalize(),
        "schedule": schedule.cron if schedule else None,
        "schedule_time_zone": schedule.time_zone if schedule else "UTC",
        "schedule_input": schedule.input if schedule else None,
    }
