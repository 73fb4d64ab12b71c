"""`Foundation`: what the Azure services of a stack share. Each part is created, or an existing one used."""

from __future__ import annotations

from typing import ClassVar

import pulumi
from pulumi_azure_native import managedidentity

from components import naming
from components.base import Component
from components.foundation import ids as azure_ids
from components.foundation.args import FoundationArgs
from components.foundation.parts import (
    container_registry,
    insights,
    key_vault,
    logs,
    readable,
    resource_group,
)
from components.foundation.place import EXISTING, Place
from components.foundation.storage import MODELS_CONTAINER, collected_data, model_storage
from components.foundation.workspace import datastore, workspace


class Foundation(Component):
    """Resource group, logs, App Insights, model storage, key vault, registry, Azure ML workspace. Names that are global
    on Azure carry a hash of the subscription; nothing has an admin user, a public blob or a key that anything here
    uses. Its identity has no rights: vault and workspace are named after its birth.
    """

    group: ClassVar[str] = "azure"

    resource_group: pulumi.Output[str]
    resource_group_id: pulumi.Output[str]
    location: pulumi.Output[str]
    log_analytics_id: pulumi.Output[str]
    app_insights_connection: pulumi.Output[str]
    storage_account: pulumi.Output[str]
    storage_id: pulumi.Output[str]
    blob_endpoint: pulumi.Output[str]
    key_vault_uri: pulumi.Output[str]
    registry_name: pulumi.Output[str]
    registry_id: pulumi.Output[str]
    registry_server: pulumi.Output[str]
    workspace: pulumi.Output[str]
    workspace_id: pulumi.Output[str]
    datastore_uri: pulumi.Output[str]
    collected_data_url: pulumi.Output[str]
    collected_id: pulumi.Output[str]

    def __init__(self, name: str, args: FoundationArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        validate(args)
        super().__init__(name, opts, args.customize)
        tags = azure_ids.standard_tags(args.project, args.stack, args.tags)
        group_name, group_id = resource_group(self, name, args, tags)
        place = Place(self, name, args, tags, group_name, group_id)
        logs_id = logs(place)
        insights_id, connection = insights(place, logs_id)
        identity = managedidentity.UserAssignedIdentity(
            f"{name}-identity",
            resource_group_name=group_name,
            resource_name_=naming.dns_label("id", args.project, args.stack, limit=120),
            location=args.location,
            tags=tags,
            opts=self.child(),
        )
        account, account_id, blobs, upload = model_storage(place)
        self.models_container = place.own_name("storage", MODELS_CONTAINER)
        # What an upload needs besides the account's address.
        self.upload_needs: list[pulumi.Resource] = [blobs, *([upload] if upload else [])]
        collected = collected_data(place, account)
        vault_id, vault_uri = key_vault(place, identity.tenant_id, identity.principal_id)
        registry, registry_id = container_registry(place)
        space, space_id = workspace(
            place, insights_id, account_id, vault_id, registry_id, identity.principal_id
        )
        models = datastore(place, space, space_id, account, account_id, blobs)
        self.publish(
            {
                "resource_group": group_name,
                "resource_group_id": group_id,
                "location": args.location,
                "log_analytics_id": logs_id,
                "app_insights_connection": connection,
                "storage_account": account,
                "storage_id": account_id,
                "blob_endpoint": account.apply(lambda text: f"https://{text}.blob.core.windows.net"),
                "key_vault_uri": readable(place, vault_id, vault_uri),
                "registry_name": registry,
                "registry_id": registry_id,
                "registry_server": registry.apply(lambda text: f"{text.lower()}.azurecr.io"),
                "workspace": space,
                "workspace_id": space_id,
                "datastore_uri": models,
                "collected_data_url": pulumi.Output.all(account, collected.name).apply(
                    lambda pair: f"https://{pair[0]}.blob.core.windows.net/{pair[1]}"
                ),
                "collected_id": collected.id,
            }
        )


def validate(args: FoundationArgs) -> None:
    """Everything that can be known before the first resource.

    Raises:
        ValueError: what is wrong, and what is allowed.
    """
    for part, ident in args.existing.items():
        if part not in EXISTING:
            raise ValueError(f"existing: no part {part!r}; allowed: {', '.join(EXISTING)}")
        try:
            azure_ids.parse(ident, EXISTING[part])
        except ValueError as error:
            raise ValueError(f"existing.{part}: {error}") from None
    if not 30 <= args.log_retention_days <= 730:
        raise ValueError(f"log_retention_days is {args.log_retention_days}; allowed: 30 to 730")
    if args.registry_sku not in ("Basic", "Standard", "Premium"):
        raise ValueError(f"registry_sku is {args.registry_sku!r}; allowed: Basic, Standard, Premium")
    azure_ids.standard_tags(args.project, args.stack, args.tags)
