"""Rules of every service, and of storage, key vault, registry, monitoring and identities."""

from __future__ import annotations

import re
from collections.abc import Iterator

from mldeploy.values.property_value import Secret, Unknown
from tests.azure.standin.rules.base import Fault, Request, rule

LOCATIONS = frozenset(
    [
        "westeurope",
        "northeurope",
        "eastus",
        "eastus2",
        "westus",
        "westus2",
        "westus3",
        "centralus",
        "northcentralus",
        "southcentralus",
        "uksouth",
        "ukwest",
        "francecentral",
        "germanywestcentral",
        "swedencentral",
        "switzerlandnorth",
        "norwayeast",
        "italynorth",
        "spaincentral",
        "polandcentral",
        "canadacentral",
        "canadaeast",
        "brazilsouth",
        "japaneast",
        "japanwest",
        "koreacentral",
        "southeastasia",
        "eastasia",
        "australiaeast",
        "australiasoutheast",
        "centralindia",
        "southindia",
        "uaenorth",
        "southafricanorth",
        "israelcentral",
        "mexicocentral",
        "westcentralus",
    ]
)
_TAGS = "https://learn.microsoft.com/azure/azure-resource-manager/management/tag-resources"
ROLES = {
    "7f951dda-4ed3-4680-a7ca-43fe172d538d": "AcrPull",
    "8311e382-0749-4cb8-b61a-304f252e45ec": "AcrPush",
    "2a2b9908-6ea1-4ae2-8e65-a410df84e7d1": "Storage Blob Data Reader",
    "ba92f5b4-2d11-453d-a403-e96b0029c9fe": "Storage Blob Data Contributor",
    "974c5e8b-45b9-4653-ba55-5f855dd0fb88": "Storage Queue Data Contributor",
    "0a9a7e1f-b9d0-4cc4-a60d-0319b160aaa3": "Storage Table Data Contributor",
    "4fc6c259-987e-4a07-842e-c321cc9d413f": "IoT Hub Data Contributor",
    "4633458b-17de-408a-b874-0445c86b69e6": "Key Vault Secrets User",
    "b86a8fe4-44ce-4948-aee5-eccb2c155cd7": "Key Vault Secrets Officer",
    "00482a5a-887f-4fb3-b363-3b7fe8e74483": "Key Vault Administrator",
    "f6c7c914-8db3-469d-8ca1-694a8f32e121": "AzureML Data Scientist",
    "3913510d-42f4-4e42-8a64-420c390055eb": "Monitoring Metrics Publisher",
    "4d97b98b-1d4f-4787-a291-c67834d212e7": "Network Contributor",
    "b1ff04bb-8a4e-4dc4-8eb5-8693973ce19b": "Azure Kubernetes Service RBAC Cluster Admin",
    "a7ffa36f-339b-4b5c-8bdf-e2c188b2c0eb": "Azure Kubernetes Service RBAC Writer",
    "b24988ac-6180-42a0-ab88-20f7382dd24c": "Contributor",
    "f58310d9-a9f6-439a-9e8d-f62e7b41a168": "Role Based Access Control Administrator",
}


@rule("*", "https://learn.microsoft.com/azure/reliability/regions-list")
def location(request: Request) -> Iterator[Fault]:
    """A location is a region's short name."""
    place = request.one("location")
    if isinstance(place, str) and place.replace(" ", "").lower() not in LOCATIONS | {"global"}:
        yield "location", f"is {place!r}, which is no Azure region"


@rule("*", _TAGS)
def tags(request: Request) -> Iterator[Fault]:
    """At most 50 tags, with names and values of allowed length and characters; names differ by more than case."""
    found = request.one("tags", {})
    if len(found) > 50:
        yield "tags", f"has {len(found)} entries; allowed: 50"
    longest = 128 if request.arm == "Microsoft.Storage/storageAccounts" else 512
    seen: set[str] = set()
    for name, value in found.items():
        if name.lower() in seen:
            yield f"tags.{name}", "is there in other capitals, too; tag names are case-insensitive"
        seen.add(name.lower())
        if len(name) > longest or re.search(r"[<>%&\\?/]", name) or not name:
            yield f"tags.{name}", f"is no allowed tag name: 1-{longest} characters without <>%&\\?/"
        if isinstance(value, str) and len(value) > 256:
            yield f"tags.{name}", f"has {len(value)} characters; allowed: 256"


@rule("Microsoft.Resources/resourceGroups", "https://learn.microsoft.com/rest/api/resources/resource-groups")
def group_types(request: Request) -> Iterator[Fault]:
    """A resource group has a location and tags; the published types that the tests use do not have it."""
    for key, value in request.body.items():
        if key not in ("location", "tags", "managedBy"):
            yield key, "is no property of a resource group"
        elif key != "tags" and not isinstance(value, str | Unknown):
            yield key, "must be a string"
    for name, value in request.one("tags", {}).items():
        if not isinstance(value, str | Unknown):
            yield f"tags.{name}", "must be a string"
    if not request.has("location"):
        yield "location", "is required"


@rule(
    "Microsoft.ContainerRegistry/registries/taskRuns",
    "https://learn.microsoft.com/rest/api/containerregistry/task-runs",
)
def registry_logins(request: Request) -> Iterator[Fault]:
    """Logins of an ACR task are secrets in the program."""
    run = request.raw.get("properties", {}).get("runRequest", {})
    logins = (run.get("credentials") or {}).get("customRegistries") if isinstance(run, dict) else None
    for server, login in logins.items() if isinstance(logins, dict) else ():
        for key in ("userName", "password"):
            value = (login.get(key) or {}).get("value")
            if value is not None and not isinstance(value, Secret):
                yield f"properties.runRequest.credentials.customRegistries.{server}.{key}", "must be a secret"


@rule(
    "Microsoft.Storage/storageAccounts",
    "https://learn.microsoft.com/azure/storage/common/storage-account-overview",
)
def account_sku(request: Request) -> Iterator[Fault]:
    """A storage account's kind and SKU fit."""
    kind, sku = request.one("kind", ""), request.one("sku.name", "")
    if kind == "BlockBlobStorage" and not sku.startswith("Premium"):
        yield "sku.name", f"{kind} needs a Premium SKU, not {sku}"
    if request.one("properties.isHnsEnabled") and kind not in ("StorageV2", "BlockBlobStorage"):
        yield "properties.isHnsEnabled", f"is not possible with kind {kind}"


@rule(
    "Microsoft.Storage/storageAccounts/blobServices/containers",
    "https://learn.microsoft.com/azure/storage/blobs/anonymous-read-access-prevent",
)
def public_container(request: Request) -> Iterator[Fault]:
    """No container is public."""
    if request.one("properties.publicAccess", "None") != "None":
        yield "properties.publicAccess", "public access is not permitted on this storage account"


@rule("Microsoft.KeyVault/vaults", "https://learn.microsoft.com/azure/key-vault/general/soft-delete-overview")
def vault_recovery(request: Request) -> Iterator[Fault]:
    """Soft delete of 7 to 90 days; it and purge protection cannot be turned off."""
    days = request.one("properties.softDeleteRetentionInDays")
    if days is not None and not 7 <= days <= 90:
        yield "properties.softDeleteRetentionInDays", f"is {days}; allowed: 7 to 90"
    if request.one("properties.enableSoftDelete") is False:
        yield "properties.enableSoftDelete", "cannot be disabled"
    if request.one("properties.enablePurgeProtection") is False:
        yield "properties.enablePurgeProtection", "cannot be false: set it to true or leave it out"


@rule(
    "Microsoft.KeyVault/vaults",
    "https://learn.microsoft.com/rest/api/keyvault/keyvault/vaults/create-or-update",
)
def vault_access(request: Request) -> Iterator[Fault]:
    """A vault has RBAC or access policies."""
    if not request.one("properties.enableRbacAuthorization") and not request.has("properties.accessPolicies"):
        yield "properties.accessPolicies", "is required unless enableRbacAuthorization is true"


@rule("Microsoft.KeyVault/vaults/secrets", "https://learn.microsoft.com/rest/api/keyvault/keyvault/secrets")
def secret_value(request: Request) -> Iterator[Fault]:
    """A vault secret's value is a secret in the program."""
    value = request.raw.get("properties", {})
    value = value.value if isinstance(value, Secret) else value
    if value.get("value") is not None and not isinstance(value["value"], Secret):
        yield (
            "properties.value",
            "is a secret's value and must be a secret, so that it is not plain in the state",
        )


@rule(
    "Microsoft.ContainerRegistry/registries",
    "https://learn.microsoft.com/azure/container-registry/container-registry-skus",
)
def registry_sku(request: Request) -> Iterator[Fault]:
    """Zones, data endpoints, retention and a closed network need Premium; anonymous pull needs Standard."""
    premium = request.one("sku.name", "Premium") == "Premium"
    for path in (
        "properties.zoneRedundancy",
        "properties.dataEndpointEnabled",
        "properties.policies.retentionPolicy",
    ):
        value = request.one(path)
        if (
            not premium
            and value not in (None, False, "Disabled")
            and not (isinstance(value, dict) and value.get("status") == "disabled")
        ):
            yield path, "needs SKU Premium"
    if request.one("properties.publicNetworkAccess") == "Disabled" and not premium:
        yield "properties.publicNetworkAccess", "can be disabled with SKU Premium only"
    if request.one("properties.anonymousPullEnabled") and request.one("sku.name") == "Basic":
        yield "properties.anonymousPullEnabled", "needs SKU Standard or Premium"


@rule(
    "Microsoft.ContainerRegistry/registries/taskRuns",
    "https://learn.microsoft.com/azure/container-registry/container-registry-tasks-overview",
)
def task_run_source(request: Request) -> Iterator[Fault]:
    """A build has a source, a time limit of 300 to 28800 s, and secret arguments that are secrets."""
    kind = request.one("properties.runRequest.type")
    if kind == "DockerBuildRequest" and not request.has("properties.runRequest.sourceLocation"):
        yield "properties.runRequest.sourceLocation", "is required: there is nothing to build from"
    timeout = request.one("properties.runRequest.timeout")
    if timeout is not None and not 300 <= timeout <= 28800:
        yield "properties.runRequest.timeout", f"is {timeout}; allowed: 300 to 28800 seconds"
    for path in ("properties.runRequest.arguments", "properties.runRequest.values"):
        for index, argument in enumerate(
            request.raw.get("properties", {}).get("runRequest", {}).get(path[22:]) or []
        ):
            if (
                isinstance(argument, dict)
                and argument.get("isSecret")
                and not isinstance(argument.get("value"), Secret)
            ):
                yield f"{path}[{index}].value", "is a secret argument and must be a secret"


@rule(
    "Microsoft.OperationalInsights/workspaces",
    "https://learn.microsoft.com/azure/azure-monitor/logs/data-retention-configure",
)
def log_retention(request: Request) -> Iterator[Fault]:
    """Logs are kept 30 to 730 days."""
    days = request.one("properties.retentionInDays")
    if days is not None and days != 7 and not 30 <= days <= 730:
        yield "properties.retentionInDays", f"is {days}; allowed: 30 to 730"


@rule(
    "Microsoft.Insights/components",
    "https://learn.microsoft.com/azure/azure-monitor/app/create-workspace-resource",
)
def workspace_based(request: Request) -> Iterator[Fault]:
    """Application Insights belongs to a workspace."""
    if not request.has("properties.WorkspaceResourceId"):
        yield "properties.WorkspaceResourceId", "is required: classic components were retired on 2024-02-29"


@rule(
    "Microsoft.Authorization/roleAssignments",
    "https://learn.microsoft.com/azure/role-based-access-control/built-in-roles",
)
def known_role(request: Request) -> Iterator[Fault]:
    """A role is one that is known here, by its definition's id."""
    role = request.one("properties.roleDefinitionId")
    if not isinstance(role, str):
        return
    match = re.search(
        r"/providers/Microsoft\.Authorization/roleDefinitions/([0-9a-f-]{36})$", role, re.IGNORECASE
    )
    if not match:
        yield "properties.roleDefinitionId", f"is {role!r}, not the id of a role definition"
    elif match[1].lower() not in ROLES:
        yield "properties.roleDefinitionId", f"{match[1]} is no role that the stand-in knows"


@rule(
    "Microsoft.Authorization/roleAssignments",
    "https://learn.microsoft.com/azure/role-based-access-control/role-assignments-template#new-service-principal",
)
def principal_type(request: Request) -> Iterator[Fault]:
    """A role assignment names its principal by object id, and its type."""
    if not request.has("properties.principalType"):
        yield (
            "properties.principalType",
            "is needed: a new identity may not be replicated yet (PrincipalNotFound)",
        )
    principal = request.one("properties.principalId")
    if isinstance(principal, str) and not re.fullmatch(
        r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}", principal
    ):
        yield "properties.principalId", f"is {principal!r}, not an object id"


@rule(
    "Microsoft.ManagedIdentity/userAssignedIdentities/federatedIdentityCredentials",
    "https://learn.microsoft.com/entra/workload-id/workload-identity-federation-config-app-trust-managed-identity",
)
def federation(request: Request) -> Iterator[Fault]:
    """A federated credential has an https issuer and one audience."""
    issuer = request.one("properties.issuer")
    if isinstance(issuer, str) and not issuer.startswith("https://"):
        yield "properties.issuer", f"is {issuer!r}; allowed: an https URL"
    audiences = request.one("properties.audiences")
    if isinstance(audiences, list) and len(audiences) != 1:
        yield "properties.audiences", f"has {len(audiences)} entries; allowed: exactly one"


@rule("Microsoft.Devices/IotHubs", "https://learn.microsoft.com/azure/iot-hub/iot-hub-scaling")
def hub_units(request: Request) -> Iterator[Fault]:
    """An IoT hub's units fit its SKU."""
    sku, units = request.one("sku.name", ""), request.one("sku.capacity", 1)
    most = {"F1": 1, "B1": 200, "B2": 200, "S1": 200, "S2": 200, "B3": 10, "S3": 10}.get(sku)
    if most is not None and not 1 <= units <= most:
        yield "sku.capacity", f"is {units}; allowed for {sku}: 1 to {most}"
