"""azure-native's resource tokens: the ARM type behind each, its path and what can't be changed in place."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from mldeploy.values.property_value import Unknown, reveal
from tests.azure.standin import arm_types

_AML = "Microsoft.MachineLearningServices/workspaces"
_ACR = "Microsoft.ContainerRegistry/registries"
_AKS = "Microsoft.ContainerService/managedClusters"
_INSIGHTS = "Microsoft.Insights"
_ML_FILE, _ML_VERSION = "machinelearningservices", "2025-12-01"


@dataclass(frozen=True)
class Token:
    """One azure-native resource type."""

    arm: str
    """``Microsoft.X/y/z``."""
    version: str
    file: str
    """The type file, or "" when there is none."""
    path: tuple[str, ...]
    """azure-native's names for the path's parameters, resource group first; ``=x`` is always ``x``."""
    create_only: tuple[str, ...] = ()
    """Paths in the body that azure-native replaces for (ARM's ``x-ms-mutability: create, read``)."""
    frozen: tuple[str, ...] = ()
    """Paths in the body whose change the service refuses although azure-native would send it."""
    fixed_name: str = ""
    """The only name there is (``default``)."""
    renamed: tuple[tuple[str, str], ...] = ()
    """azure-native's names for properties that the API calls otherwise (``x-ms-client-name``)."""
    query: tuple[str, ...] = ()
    """Inputs that go into the request's query."""
    no_delete: bool = False
    """The service keeps it as long as its parent (azure-native then only forgets it)."""

    @property
    def body_type(self) -> arm_types.BodyType | None:
        """The published type of its body, when it is on this machine."""
        return arm_types.load(self.file, f"{self.arm}@{self.version}") if self.file else None

    @property
    def scoped(self) -> bool:
        """Whether it is on any other resource, and not in a group."""
        return self.path[0] in ("scope", "resourceUri")

    def ident(self, subscription: str, inputs: dict[str, Any]) -> str | None:
        """The ARM id, or ``None`` while a part of it is unknown."""
        values = [name[1:] if name.startswith("=") else reveal(inputs.get(name)) for name in self.path]
        if any(isinstance(value, Unknown) or value is None for value in values):
            return None
        if self.scoped:
            scope, name = values
            return f"{str(scope).rstrip('/')}/providers/{self.arm}/{name}"
        if self.arm == "Microsoft.Resources/resourceGroups":
            return f"/subscriptions/{subscription}/resourceGroups/{values[0]}"
        namespace, *kinds = self.arm.split("/")
        made = f"/subscriptions/{subscription}/resourceGroups/{values[0]}/providers/{namespace}"
        return made + "".join(f"/{kind}/{name}" for kind, name in zip(kinds, values[1:], strict=True))

    def body(self, inputs: dict[str, Any]) -> dict[str, Any]:
        """The request body for azure-native's inputs: without the path's parameters, envelopes put back."""
        names = dict(self.renamed)
        own = {
            names.get(key, key): value
            for key, value in inputs.items()
            # A role assignment is scoped by its path; its other inputs are the body.
            if key not in self.path and key not in self.query and not key.startswith("__")
        }
        type_ = self.body_type
        return type_.unflatten(own) if type_ else own


def _ml(
    kind: str,
    *path: str,
    create_only: tuple[str, ...] = (),
    frozen: tuple[str, ...] = (),
    query: tuple[str, ...] = (),
) -> Token:
    names = ("resourceGroupName", "workspaceName", *path)
    return Token(f"{_AML}/{kind}", _ML_VERSION, _ML_FILE, names, create_only, frozen, query=query)


_RG = "resourceGroupName"
TOKENS: dict[str, Token] = {
    "resources:ResourceGroup": Token(
        "Microsoft.Resources/resourceGroups", "2024-11-01", "", (_RG,), create_only=("location",)
    ),
    "storage:StorageAccount": Token(
        "Microsoft.Storage/storageAccounts", "2024-01-01", "storage", (_RG, "accountName"),
        create_only=("location", "properties.isHnsEnabled", "properties.isNfsV3Enabled", "extendedLocation"),
        frozen=("kind",),
        renamed=(
            ("networkRuleSet", "networkAcls"), ("enableHttpsTrafficOnly", "supportsHttpsTrafficOnly"),
            ("enableNfsV3", "isNfsV3Enabled"),
        ),
    ),
    "storage:BlobServiceProperties": Token(
        "Microsoft.Storage/storageAccounts/blobServices", "2024-01-01", "storage",
        (_RG, "accountName", "blobServicesName"), no_delete=True,
    ),
    "storage:BlobContainer": Token(
        "Microsoft.Storage/storageAccounts/blobServices/containers", "2024-01-01", "storage",
        (_RG, "accountName", "=default", "containerName"),
    ),
    "keyvault:Vault": Token(
        "Microsoft.KeyVault/vaults", "2024-11-01", "keyvault", (_RG, "vaultName"), create_only=("location",),
    ),
    "keyvault:Secret": Token(
        "Microsoft.KeyVault/vaults/secrets", "2024-11-01", "keyvault", (_RG, "vaultName", "secretName"),
        no_delete=True,
    ),
    "containerregistry:Registry": Token(
        _ACR, "2023-01-01-preview", "containerregistry", (_RG, "registryName"),
        create_only=("location", "properties.zoneRedundancy"),
    ),
    "containerregistry:Task": Token(
        f"{_ACR}/tasks", "2019-06-01-preview", "acrtasks", (_RG, "registryName", "taskName"),
        create_only=("location",),
    ),
    "containerregistry:TaskRun": Token(
        f"{_ACR}/taskRuns", "2019-06-01-preview", "acrtasks", (_RG, "registryName", "taskRunName"),
        create_only=("location",),
    ),
    "operationalinsights:Workspace": Token(
        "Microsoft.OperationalInsights/workspaces", "2023-09-01", "operationalinsights", (_RG, "workspaceName"),
        create_only=("location",),
    ),
    "applicationinsights:Component": Token(
        "Microsoft.Insights/components", "2020-02-02", "applicationinsights", (_RG, "resourceName"),
        create_only=("location",),
    ),
    "managedidentity:UserAssignedIdentity": Token(
        "Microsoft.ManagedIdentity/userAssignedIdentities", "2023-01-31", "managedidentity", (_RG, "resourceName"),
        create_only=("location",),
    ),
    "managedidentity:FederatedIdentityCredential": Token(
        "Microsoft.ManagedIdentity/userAssignedIdentities/federatedIdentityCredentials", "2023-01-31",
        "managedidentity", (_RG, "resourceName", "federatedIdentityCredentialResourceName"),
    ),
    "authorization:RoleAssignment": Token(
        "Microsoft.Authorization/roleAssignments", "2022-04-01", "authorization", ("scope", "roleAssignmentName"),
        create_only=("properties.principalId", "properties.roleDefinitionId", "properties.principalType"),
    ),
    "containerinstance:ContainerGroup": Token(
        "Microsoft.ContainerInstance/containerGroups", "2024-05-01-preview", "containerinstance",
        (_RG, "containerGroupName"), create_only=("location", "zones"),
        frozen=(
            "properties.osType", "properties.restartPolicy", "properties.subnetIds", "properties.sku",
            "properties.priority", "properties.containers[*].properties.resources",
        ),
    ),
    "containerservice:ManagedCluster": Token(
        _AKS, "2025-09-01", "containerservice", (_RG, "resourceName"),
        create_only=("location", "properties.dnsPrefix", "properties.fqdnSubdomain"),
        frozen=(
            "properties.nodeResourceGroup", "properties.networkProfile.networkPlugin",
            "properties.networkProfile.podCidr", "properties.networkProfile.serviceCidr",
            "properties.apiServerAccessProfile.enablePrivateCluster",
        ),
    ),
    "containerservice:AgentPool": Token(
        f"{_AKS}/agentPools", "2025-09-01", "containerservice", (_RG, "resourceName", "agentPoolName"),
        frozen=(
            "properties.vmSize", "properties.osDiskType", "properties.osDiskSizeGB", "properties.osType",
            "properties.scaleSetPriority", "properties.maxPods", "properties.vnetSubnetID",
            "properties.availabilityZones",
        ),
    ),
    "containerservice:MaintenanceConfiguration": Token(
        f"{_AKS}/maintenanceConfigurations", "2025-09-01", "containerservice", (_RG, "resourceName", "configName"),
    ),
    "machinelearningservices:Workspace": Token(
        _AML, _ML_VERSION, _ML_FILE, (_RG, "workspaceName"), create_only=("location",),
        frozen=("properties.storageAccount", "properties.keyVault", "properties.hbiWorkspace"),
    ),
    "machinelearningservices:Datastore": _ml("datastores", "name", query=("skipValidation",)),
    "machinelearningservices:ModelContainer": _ml("models", "name"),
    "machinelearningservices:ModelVersion": _ml(
        "models/versions", "name", "version", frozen=("properties.modelUri", "properties.modelType")
    ),
    "machinelearningservices:EnvironmentContainer": _ml("environments", "name"),
    "machinelearningservices:EnvironmentVersion": _ml(
        "environments/versions", "name", "version",
        create_only=(
            "properties.image", "properties.build.contextUri", "properties.build.dockerfilePath",
            "properties.condaFile", "properties.osType",
        ),
    ),
    "machinelearningservices:CodeContainer": _ml("codes", "name"),
    "machinelearningservices:CodeVersion": _ml("codes/versions", "name", "version", frozen=("properties.codeUri",)),
    "machinelearningservices:Compute": _ml(
        "computes", "computeName", create_only=("location",),
        frozen=(
            "properties.computeType", "properties.properties.vmSize", "properties.properties.vmPriority",
            "properties.properties.osType", "properties.properties.subnet",
            "properties.properties.remoteLoginPortPublicAccess", "properties.properties.enableNodePublicIp",
        ),
    ),
    "machinelearningservices:BatchEndpoint": _ml(
        "batchEndpoints", "endpointName", create_only=("location",), frozen=("properties.authMode",)
    ),
    "machinelearningservices:BatchDeployment": _ml(
        "batchEndpoints/deployments", "endpointName", "deploymentName", create_only=("location",),
        frozen=("properties.compute",),
    ),
    "machinelearningservices:Schedule": _ml("schedules", "name"),
    # No published types of these on this machine: what is sent is checked by the tests.
    "monitor:AzureMonitorWorkspace": Token(
        "Microsoft.Monitor/accounts", "2023-04-03", "", (_RG, "azureMonitorWorkspaceName"), create_only=("location",),
    ),
    "monitor:DataCollectionEndpoint": Token(
        f"{_INSIGHTS}/dataCollectionEndpoints", "2022-06-01", "", (_RG, "dataCollectionEndpointName"),
        create_only=("location",),
    ),
    "monitor:DataCollectionRule": Token(
        f"{_INSIGHTS}/dataCollectionRules", "2022-06-01", "", (_RG, "dataCollectionRuleName"),
        create_only=("location",),
    ),
    "monitor:DataCollectionRuleAssociation": Token(
        f"{_INSIGHTS}/dataCollectionRuleAssociations", "2022-06-01", "", ("resourceUri", "associationName"),
    ),
    "iothub:IotHubResource": Token(
        "Microsoft.Devices/IotHubs", "2023-06-30", "iothub", (_RG, "resourceName"), create_only=("location",),
    ),
}  # fmt: skip


def of(token: str) -> Token:
    """The entry of ``azure-native:<module>:<Type>``.

    Raises:
        KeyError: the stand-in does not know the type; the message names those it knows.
    """
    try:
        return TOKENS[token.removeprefix("azure-native:")]
    except KeyError:
        raise KeyError(f"the stand-in knows no resource type {token}; it knows {', '.join(TOKENS)}") from None


_STEP = re.compile(r"([^.\[\]]+)|\[(\*|\d+)\]")


def pick(value: Any, path: str) -> list[Any]:
    """Every value at ``a.b[*].c``; nothing where a part is missing."""
    found = [value]
    for name, index in _STEP.findall(path):
        following: list[Any] = []
        for item in found:
            if name and isinstance(item, dict) and name in item:
                following.append(item[name])
            elif index == "*" and isinstance(item, list):
                following += item
            elif index.isdigit() and isinstance(item, list) and int(index) < len(item):
                following.append(item[int(index)])
        found = following
    return found
