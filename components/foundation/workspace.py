"""The foundation's Azure ML workspace, and its view of the models' storage."""

from __future__ import annotations

from typing import Final

import pulumi
from pulumi_azure_native import machinelearningservices, storage

from components import naming
from components.foundation import ids as azure_ids
from components.foundation.place import Place, named_by_birth
from components.sdk.azure import Seen

DATASTORE: Final = "mldeploy"
_API: Final = "2025-12-01"


def workspace(
    place: Place,
    insights_id: pulumi.Input[str],
    account_id: pulumi.Input[str],
    vault_id: pulumi.Input[str],
    registry_id: pulumi.Input[str],
    born: pulumi.Output[str],
) -> tuple[pulumi.Output[str], pulumi.Output[str]]:
    """The Azure ML workspace's name and id."""
    if (found := place.existing("workspace")) is not None:
        return found
    made = machinelearningservices.Workspace(
        f"{place.name}-workspace",
        resource_group_name=place.group,
        workspace_name=named_by_birth(place, naming.workspace, born),
        location=place.args.location,
        kind="Default",
        sku=machinelearningservices.SkuArgs(name="Basic", tier=machinelearningservices.SkuTier.BASIC),
        identity=machinelearningservices.ManagedServiceIdentityArgs(type="SystemAssigned"),
        friendly_name=f"{place.args.project} {place.args.stack}",
        application_insights=insights_id,
        storage_account=account_id,
        key_vault=vault_id,
        container_registry=registry_id,
        system_datastores_auth_mode="identity",
        v1_legacy_mode=False,
        tags=place.tags,
        opts=place.kept(),
    )
    return made.name, made.id


def datastore(
    place: Place,
    workspace: pulumi.Output[str],
    workspace_id: pulumi.Output[str],
    account: pulumi.Input[str],
    account_id: pulumi.Output[str],
    container: storage.BlobContainer,
) -> pulumi.Output[str]:
    """The workspace's view of the models' container, without credentials. Returns the start of URIs in it."""
    made = machinelearningservices.Datastore(
        f"{place.name}-datastore",
        resource_group_name=place.group_of("workspace"),
        workspace_name=workspace,
        # Of letters, digits and underscores.
        name=place.own_name("workspace", DATASTORE).replace("-", "_"),
        skip_validation=True,
        properties=machinelearningservices.AzureBlobDatastoreArgs(
            datastore_type="AzureBlob",
            credentials=machinelearningservices.NoneDatastoreCredentialsArgs(credentials_type="None"),
            account_name=account,
            container_name=container.name,
            subscription_id=account_id.apply(lambda text: azure_ids.parse(text).subscription),
            resource_group=account_id.apply(lambda text: azure_ids.parse(text).group),
            service_data_access_auth_identity="WorkspaceSystemAssignedIdentity",
            description="Models registered by mldeploy",
        ),
        opts=place.parent.child(depends_on=[container]),
    )
    # Azure ML's parts that register models learn of a new datastore later than Resource Manager.
    seen = Seen(
        f"{place.name}-datastore-seen",
        resource_id=made.id,
        api_version=_API,
        opts=place.parent.child(),
    )
    return pulumi.Output.all(workspace_id, made.name, seen.urn).apply(
        lambda found: datastore_uri(found[0], found[1])
    )


def datastore_uri(workspace_id: str, datastore: str) -> str:
    """``azureml://subscriptions/…/datastores/<name>/paths``: to be followed by ``/<path in the container>``."""
    ident = azure_ids.parse(workspace_id)
    return (
        f"azureml://subscriptions/{ident.subscription}/resourcegroups/{ident.group}"
        f"/workspaces/{ident.name}/datastores/{datastore}/paths"
    )
