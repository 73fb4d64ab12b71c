"""What services refuse because of what is there, or not there yet: names, links, rights, limits, order."""

from __future__ import annotations

import re
from typing import Any

from mldeploy.values.property_value import reveal
from tests.azure.standin.tokens import Token, pick
from tests.azure.standin.world import World

_LINK = re.compile(
    r"^/subscriptions/[^/]+/resourceGroups/[^/]+(/providers/[^/]+(/[^/]+/[^/]+)+)?$", re.IGNORECASE
)
_AML = "Microsoft.MachineLearningServices/workspaces"
_IDENTITY = "Microsoft.ManagedIdentity/userAssignedIdentities"
_FEDERATED = f"{_IDENTITY}/federatedIdentityCredentials"
_AKS = "Microsoft.ContainerService/managedClusters"
_ASSIGNMENT = "Microsoft.Authorization/roleAssignments"
GLOBAL = {
    "Microsoft.Storage/storageAccounts": "StorageAccountAlreadyTaken",
    "Microsoft.ContainerRegistry/registries": "AlreadyInUse",
    "Microsoft.KeyVault/vaults": "VaultAlreadyExists",
    "Microsoft.Devices/IotHubs": "IotHubNameNotAvailable",
    # Their host name is <name>.<region>.inference.ml.azure.com:
    # https://learn.microsoft.com/azure/machine-learning/how-to-use-batch-model-deployments (unique in a region).
    f"{_AML}/batchEndpoints": "EndpointNameNotAvailable",
    f"{_AML}/onlineEndpoints": "EndpointNameNotAvailable",
}
# https://learn.microsoft.com/entra/workload-id/workload-identity-federation-considerations: 20 for each identity.
MOST_FEDERATED = 20


class ServiceError(Exception):
    """The service said no: ``Code="..." Message="..."`` as azure-native shows it."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(f'Status={status} Code="{code}" Message="{message}"')
        self.status, self.code, self.message = status, code, message


def refuse(world: World, token: Token, ident: str, body: dict[str, Any], *, create: bool, who: str) -> None:
    """Everything about a PUT that depends on what else there is.

    Raises:
        ServiceError: refused.
    """
    plain = reveal(body)
    if not world.may_manage(who, token.arm, ident, "PUT"):
        raise forbidden(who, f"{token.arm}/write", ident)
    space = token.arm.partition("/")[0]
    if space.lower() in world.unregistered:
        # https://learn.microsoft.com/azure/azure-resource-manager/troubleshooting/error-register-resource-provider
        message = f"The subscription is not registered to use namespace '{space}'."
        raise ServiceError(409, "MissingSubscriptionRegistration", message)
    before = world.store.get(ident)
    if create and before is None:
        _taken(world, token, ident, plain)
    if not create and before is None:
        raise ServiceError(404, "ResourceNotFound", f"{ident} was not found")
    _orphan(world, token, ident)
    for link in sorted(links(plain)):
        _linked(world, link)
    for check in _CHECKS.get(token.arm, ()):
        check(world, ident, plain)


def forbidden(who: str, action: str, scope: str) -> ServiceError:
    """As Resource Manager says it."""
    message = (
        f"The client '{who}' with object id '{who}' does not have authorization to perform action '{action}' over "
        f"scope '{scope}' or the scope is invalid. If access was recently granted, please refresh your credentials."
    )
    return ServiceError(403, "AuthorizationFailed", message)


def visible(world: World, document: dict[str, Any] | None) -> bool:
    """Whether others see it by now: it is made, and has got around."""
    return document is not None and document.get("seen_at", 0.0) <= world.now()


def links(value: Any) -> set[str]:
    """Every ARM id in a body, but role definitions and bare resource groups."""
    if isinstance(value, dict):
        return set().union(*(links(key) | links(item) for key, item in value.items()))
    if isinstance(value, list):
        return set().union(*(links(item) for item in value))
    is_link = isinstance(value, str) and _LINK.match(value) and "/roleDefinitions/" not in value
    return {value} if is_link else set()


def lock_of(token: Token, ident: str) -> tuple[str, str, str]:
    """What a write holds alone, and the error's code and message for who comes in between; empty: nothing.

    https://github.com/hashicorp/terraform-provider-azurerm/issues/19968 (federated credentials) and
    https://learn.microsoft.com/troubleshoot/azure/azure-kubernetes/error-codes/operationnotallowed (clusters).
    """
    if token.arm == _FEDERATED:
        owner = ident.rsplit("/", 2)[0]
        return (
            owner,
            "ConcurrentFederatedIdentityCredentialsWritesForSingleManagedIdentity",
            f"Too many Federated Identity Credentials are written concurrently for the managed identity '{owner}'. "
            "Concurrent Federated Identity Credentials writes under the same managed identity are not supported.",
        )
    if token.arm.startswith(_AKS):
        cluster = "/".join(ident.split("/")[:9])
        message = (
            "Operation is not allowed: Another operation ({}) is in progress, please wait for it to finish before "
            "starting a new operation."
        )
        return cluster, "OperationNotAllowed", message
    return "", "", ""


def _taken(world: World, token: Token, ident: str, body: dict[str, Any]) -> None:
    name = ident.rsplit("/", 1)[-1].lower()
    if token.arm in GLOBAL:
        mine = any(other["id"].rsplit("/", 1)[-1].lower() == name for other in world.store.of(token.arm))
        if mine or (token.arm, name) in world.others:
            raise ServiceError(409, GLOBAL[token.arm], f"the name {name} is taken")
    if token.arm == _ASSIGNMENT:
        # https://github.com/Azure/azure-cli/pull/8599: not even the same request is answered with a 200.
        keys = ("properties.principalId", "properties.roleDefinitionId", "properties.condition")
        for other in world.store.of(token.arm):
            same = other["id"].rsplit("/", 1)[0].lower() == ident.rsplit("/", 1)[0].lower()
            if same and all(pick(other["body"], key) == pick(body, key) for key in keys):
                raise ServiceError(
                    409, "RoleAssignmentExists",
                    "The role assignment already exists. The ID of the existing role assignment is "
                    f"{other['id'].rsplit('/', 1)[-1].replace('-', '')}.",
                )  # fmt: skip
    if token.arm == _FEDERATED:
        owner = ident.rsplit("/", 1)[0].lower()
        others = [one for one in world.store.of(_FEDERATED) if one["id"].lower().startswith(owner)]
        if len(others) >= MOST_FEDERATED:
            raise ServiceError(
                400, "BadRequest", f"Too many Federated Identity Credentials: {MOST_FEDERATED}"
            )
        for other in others:
            pair = ("properties.issuer", "properties.subject")
            if all(pick(other["body"], key) == pick(body, key) for key in pair):
                raise ServiceError(409, "BadRequest", "Issuer and subject combination already exists")


def _orphan(world: World, token: Token, ident: str) -> None:
    parts = ident.strip("/").split("/")
    parent = "/" + "/".join(parts[:-2]) if len(parts) > 8 else "/" + "/".join(parts[:4])
    if token.scoped:
        parent = ident.rsplit("/providers/", maxsplit=1)[0]
    parent = parent.removesuffix("/blobServices/default")
    levels = len(parent.strip("/").split("/"))
    if levels > 3 and parent.lower() != ident.lower() and not _made(world.store.get(parent)):
        code = "ResourceGroupNotFound" if levels == 4 else "ParentResourceNotFound"
        raise ServiceError(404, code, f"{parent} was not found")


def _made(document: dict[str, Any] | None) -> bool:
    return document is not None and document.get("state") != "Creating"


def _linked(world: World, link: str) -> None:
    document = world.store.get(link)
    if not _made(document):
        raise ServiceError(400, "LinkedResourceNotFound", f"{link} does not exist")
    assert document is not None
    if document["type"] == _IDENTITY and not visible(world, document):
        raise ServiceError(
            400, "FailedIdentityOperation",
            "Identity operation for resource failed with error 'Failed to perform resource identity "
            f"operation. Status: 'BadRequest'. Response: 'The resource {link} was not found.'",
        )  # fmt: skip


# --- of single types --------------------------------------------------------------------------------------------


def _default_exists(world: World, ident: str, body: dict[str, Any]) -> None:
    default = pick(body, "properties.defaults.deploymentName")
    if default and default[0] and world.store.get(f"{ident}/deployments/{default[0]}") is None:
        raise ServiceError(400, "DeploymentNotFound", f"the endpoint has no deployment {default[0]!r}")


def _own_label(world: World, ident: str, body: dict[str, Any]) -> None:
    path = "properties.ipAddress.dnsNameLabel"
    label = pick(body, path)
    for other in world.store.of("Microsoft.ContainerInstance/containerGroups") if label else []:
        if other["id"].lower() != ident.lower() and pick(other["body"], path) == label:
            raise ServiceError(400, "DnsNameLabelNotAvailable", f"{label[0]} is taken")


def _may_pull(world: World, ident: str, body: dict[str, Any]) -> None:
    """The group's image is looked at when the group is asked for, with the identity that it names.

    https://learn.microsoft.com/azure/container-instances/container-instances-troubleshooting (InaccessibleImage).
    """
    (login,) = pick(body, "properties.imageRegistryCredentials[*]") or [{}]
    for image in pick(body, "properties.containers[*].properties.image"):
        server, _, rest = str(image).partition("/")
        registry = registry_of(world, server)
        if registry is None:
            continue
        identity = world.store.get(str(login.get("identity", "")))
        principal = (identity or {}).get("outputs", {}).get("principalId", "")
        repository, _, reference = rest.partition("@") if "@" in rest else rest.rpartition(":")
        there = not world.behaves or (server, repository, reference) in world.images
        if not there or not world.may(principal, "registry.pull", registry):
            raise ServiceError(
                400, "InaccessibleImage", f"The image '{image}' in container group '{ident.rsplit('/', 1)[-1]}' is not "
                "accessible. Please check the image and registry credential.",
            )  # fmt: skip


def registry_of(world: World, server: str) -> str | None:
    """The id of the registry behind a host name; None where it is not ours."""
    for document in world.store.of("Microsoft.ContainerRegistry/registries"):
        if document["outputs"].get("loginServer", "").lower() == server.lower():
            return document["id"]
    return None


def _datastore_there(world: World, ident: str, body: dict[str, Any]) -> None:
    workspace = ident.split("/models/", maxsplit=1)[0]
    for store in re.findall(r"/datastores/([^/]+)/paths/", str(pick(body, "properties.modelUri"))):
        if not visible(world, world.store.get(f"{workspace}/datastores/{store}")):
            raise ServiceError(400, "UserError", f"the workspace has no datastore {store!r}")


# https://learn.microsoft.com/azure/machine-learning/concept-azure-machine-learning-v2 and
# https://learn.microsoft.com/cli/azure/ml/job: how other assets name a job's output.
_JOB_OUTPUT = re.compile(r"azureml://jobs/[^/]+/outputs/[^/]+(/paths(/.*)?)?")


def _job_output(world: World, ident: str, body: dict[str, Any]) -> None:
    for uri in pick(body, "properties.modelUri"):
        if str(uri).startswith("azureml://jobs/") and not _JOB_OUTPUT.fullmatch(str(uri)):
            raise ServiceError(
                400, "UserError", f"{uri} is no output of a job: …/outputs/<name>/paths/<path>"
            )


def _subnet_joined(world: World, ident: str, body: dict[str, Any]) -> None:
    """Nodes join a subnet of one's own with the cluster's identity, which must have been given that right before.

    https://learn.microsoft.com/azure/aks/configure-kubenet#add-role-assignment-for-managed-identity (Network
    Contributor; a system-assigned identity is not there yet when the cluster is asked for).
    """
    subnets = {str(s) for s in pick(body, "properties.agentPoolProfiles[*].vnetSubnetID") if s}
    for subnet in subnets:
        identities = (body.get("identity") or {}).get("userAssignedIdentities") or {}
        documents = [world.store.get(str(name)) for name in identities]
        principals = [(d or {}).get("outputs", {}).get("principalId", "") for d in documents]
        if not any(world.may(who, "subnet.join", subnet) for who in principals):
            raise ServiceError(
                403, "LinkedAuthorizationFailed", "The cluster's identity does not have permission to perform action "
                f"'Microsoft.Network/virtualNetworks/subnets/join/action' on {subnet}",
            )  # fmt: skip


_CHECKS = {
    f"{_AML}/batchEndpoints": (_default_exists,),
    f"{_AML}/models/versions": (_datastore_there, _job_output),
    "Microsoft.ContainerInstance/containerGroups": (_own_label, _may_pull),
    _AKS: (_subnet_joined,),
}
