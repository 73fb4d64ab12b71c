"""Names, by the Azure naming reference."""

from __future__ import annotations

import re
from collections.abc import Iterator

from tests.azure.standin.rules.base import Fault, Request, rule

SOURCE = "https://learn.microsoft.com/azure/azure-resource-manager/management/resource-name-rules"
_NAMES = {
    "Microsoft.Resources/resourceGroups": (r"[-\w._()]{0,89}[-\w_()]", "1-90 characters, no full stop at the end"),
    "Microsoft.Storage/storageAccounts": (r"[a-z0-9]{3,24}", "3-24 lowercase letters and digits"),
    "Microsoft.Storage/storageAccounts/blobServices/containers": (
        r"(?!.*--)[a-z0-9][a-z0-9-]{1,61}[a-z0-9]", "3-63 lowercase letters, digits and single hyphens"),
    "Microsoft.KeyVault/vaults": (
        r"(?!.*--)[a-zA-Z][a-zA-Z0-9-]{1,22}[a-zA-Z0-9]", "3-24 letters, digits, hyphens; starts with a letter"),
    "Microsoft.KeyVault/vaults/secrets": (r"[a-zA-Z0-9-]{1,127}", "1-127 letters, digits and hyphens"),
    "Microsoft.ContainerRegistry/registries": (r"[a-zA-Z0-9]{5,50}", "5-50 letters and digits"),
    "Microsoft.ContainerRegistry/registries/taskRuns": (r"[a-zA-Z0-9_-]{5,50}", "5-50 letters, digits, hyphens, _"),
    "Microsoft.ContainerRegistry/registries/tasks": (r"[a-zA-Z0-9_-]{5,50}", "5-50 letters, digits, hyphens, _"),
    "Microsoft.OperationalInsights/workspaces": (
        r"[a-zA-Z0-9][a-zA-Z0-9-]{2,61}[a-zA-Z0-9]", "4-63 letters, digits and hyphens"),
    "Microsoft.Insights/components": (r"[^%&\\?/]{0,259}[^%&\\?/. ]", "1-260 characters without %&\\?/"),
    "Microsoft.ManagedIdentity/userAssignedIdentities": (
        r"[a-zA-Z0-9][a-zA-Z0-9_-]{2,127}", "3-128 letters, digits, hyphens, _"),
    "Microsoft.ManagedIdentity/userAssignedIdentities/federatedIdentityCredentials": (
        r"[a-zA-Z0-9][a-zA-Z0-9_-]{2,119}", "3-120 letters, digits, hyphens, _"),
    "Microsoft.Authorization/roleAssignments": (
        r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", "a UUID"),
    "Microsoft.ContainerInstance/containerGroups": (
        r"(?!.*--)[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", "1-63 lowercase letters, digits and single hyphens"),
    "Microsoft.ContainerService/managedClusters": (
        r"[a-zA-Z0-9]([a-zA-Z0-9_-]{0,61}[a-zA-Z0-9])?", "1-63 letters, digits, hyphens, _"),
    "Microsoft.ContainerService/managedClusters/agentPools": (r"[a-z][a-z0-9]{0,11}", "1-12 lowercase letters, digits"),
    "Microsoft.MachineLearningServices/workspaces": (r"[a-zA-Z0-9][\w-]{2,32}", "3-33 letters, digits, hyphens, _"),
    "Microsoft.MachineLearningServices/workspaces/computes": (
        r"[a-zA-Z](?!.*--)[a-zA-Z0-9-]{0,30}[a-zA-Z0-9]", "2-32 letters, digits and hyphens, starts with a letter"),
    "Microsoft.MachineLearningServices/workspaces/datastores": (r"[a-zA-Z0-9_]{1,255}", "letters, digits and _"),
    "Microsoft.MachineLearningServices/workspaces/models": (r"[a-zA-Z0-9][\w.-]{0,254}", "1-255 letters, digits, ._-"),
    "Microsoft.MachineLearningServices/workspaces/models/versions": (
        r"[a-zA-Z0-9][\w.-]{0,254}", "1-255 letters, digits, ._-"),
    "Microsoft.MachineLearningServices/workspaces/environments": (
        r"[a-zA-Z0-9][\w.-]{0,254}", "1-255 letters, digits, ._-"),
    "Microsoft.MachineLearningServices/workspaces/batchEndpoints": (
        r"[a-zA-Z](?!.*--)[a-zA-Z0-9-]{1,30}[a-zA-Z0-9]", "3-32 letters, digits and hyphens, starts with a letter"),
    "Microsoft.MachineLearningServices/workspaces/batchEndpoints/deployments": (
        r"[a-zA-Z](?!.*--)[a-zA-Z0-9-]{1,30}[a-zA-Z0-9]", "3-32 letters, digits and hyphens, starts with a letter"),
    "Microsoft.Devices/IotHubs": (r"[a-zA-Z0-9][a-zA-Z0-9-]{1,48}[a-zA-Z0-9]", "3-50 letters, digits and hyphens"),
}  # fmt: skip
_RESERVED = re.compile(
    r"(^|[-_.])(microsoft|windows|azure|xbox)($|[-_.])|^(microsoft|windows)", re.IGNORECASE
)


def _make(arm: str, pattern: str, allowed: str) -> None:
    @rule(arm, SOURCE)
    def name(request: Request) -> Iterator[Fault]:
        if request.name and not re.fullmatch(pattern, request.name):
            yield "name", f"is {request.name!r}; allowed: {allowed}"

    name.__doc__ = f"The name: {allowed}."


for _arm, (_pattern, _allowed) in _NAMES.items():
    _make(_arm, _pattern, _allowed)


@rule(
    "Microsoft.ContainerService/managedClusters",
    "https://learn.microsoft.com/azure/azure-resource-manager/troubleshooting/error-reserved-resource-name",
)
def reserved(request: Request) -> Iterator[Fault]:
    """A cluster's name holds no reserved word."""
    if _RESERVED.search(request.name):
        yield "name", f"{request.name!r} holds a reserved word"
