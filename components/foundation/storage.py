"""The foundation's storage: models, and the inputs and outputs that services collect."""

from __future__ import annotations

from typing import Final

import pulumi
from pulumi_azure_native import storage

from components import naming
from components.foundation.place import Place
from components.foundation.roles import grant

MODELS_CONTAINER: Final = "models"
# https://learn.microsoft.com/azure/reliability/regions-list: those with availability zones.
ZONAL_REGIONS: Final = frozenset({
    "australiaeast", "austriaeast", "belgiumcentral", "brazilsouth", "canadacentral", "centralindia", "centralus",
    "chilecentral", "eastasia", "eastus", "eastus2", "francecentral", "germanywestcentral", "indonesiacentral",
    "israelcentral", "italynorth", "japaneast", "japanwest", "koreacentral", "malaysiawest", "mexicocentral",
    "newzealandnorth", "northeurope", "norwayeast", "polandcentral", "qatarcentral", "southafricanorth",
    "southcentralus", "southeastasia", "spaincentral", "swedencentral", "switzerlandnorth", "uaenorth", "uksouth",
    "westeurope", "westus2", "westus3",
})  # fmt: skip
COLLECTED_CONTAINER: Final = "modeldata"


def model_storage(
    place: Place,
) -> tuple[pulumi.Output[str], pulumi.Output[str], storage.BlobContainer, pulumi.Resource | None]:
    """The storage account's name and id, the models' container, and the deployer's right to upload."""
    args = place.args
    if (found := place.existing("storage")) is not None:
        account, account_id = found
    else:
        made = _account(place)
        account, account_id = made.name, made.id
    container = storage.BlobContainer(
        f"{place.name}-models",
        resource_group_name=place.group_of("storage"),
        account_name=account,
        container_name=place.own_name("storage", MODELS_CONTAINER),
        public_access=storage.PublicAccess.NONE,
        opts=place.kept(),
    )
    upload = None
    if args.deployer_principal_id is not None:
        upload = grant(
            f"{place.name}-upload",
            "Storage Blob Data Contributor",
            scope=account_id,
            principal_id=args.deployer_principal_id,
            principal_type=args.deployer_type,
            opts=place.parent.child(),
        )
    return account, account_id, container, upload


def collected_data(place: Place, account: pulumi.Output[str]) -> storage.BlobContainer:
    """The container for collected inputs and outputs.

    It is made in any case: were it there only while some service collects, what was collected would go with the last
    such service.
    """
    return storage.BlobContainer(
        f"{place.name}-collected",
        resource_group_name=place.group_of("storage"),
        account_name=account,
        container_name=place.own_name("storage", COLLECTED_CONTAINER),
        public_access=storage.PublicAccess.NONE,
        opts=place.kept(),
    )


def _account(place: Place) -> storage.StorageAccount:
    made = storage.StorageAccount(
        f"{place.name}-storage",
        resource_group_name=place.group,
        account_name=place.unique(naming.storage_account),
        location=place.args.location,
        kind=storage.Kind.STORAGE_V2,
        # Three copies in three zones, or on three racks where the region has no zones.
        sku=storage.SkuArgs(
            name=storage.SkuName.STANDARD_ZRS
            if place.args.location in ZONAL_REGIONS
            else storage.SkuName.STANDARD_LRS
        ),
        access_tier=storage.AccessTier.HOT,
        allow_blob_public_access=False,
        # Azure ML's own datastores use the workspace's identity; nothing here needs account keys.
        allow_shared_key_access=False,
        allow_cross_tenant_replication=False,
        default_to_o_auth_authentication=True,
        enable_https_traffic_only=True,
        minimum_tls_version=storage.MinimumTlsVersion.TLS1_2,
        network_rule_set=storage.NetworkRuleSetArgs(
            bypass=storage.Bypass.AZURE_SERVICES, default_action=storage.DefaultAction.ALLOW
        ),
        tags=place.tags,
        opts=place.kept(),
    )
    storage.BlobServiceProperties(
        f"{place.name}-blobs",
        resource_group_name=place.group,
        account_name=made.name,
        blob_services_name="default",
        delete_retention_policy=storage.DeleteRetentionPolicyArgs(enabled=True, days=7),
        container_delete_retention_policy=storage.DeleteRetentionPolicyArgs(enabled=True, days=7),
        opts=place.parent.child(),
    )
    return made
