"""How long Azure's effects take, and how often it is busy: drawn from a seed, so that a bad day can be had again.

Without a seed everything is there at once; roles are needed all the same.
"""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass, field
from threading import Lock
from typing import Final

from tests.azure.standin.clock import Clock

# Shortest and longest in seconds, and who says so. What has no source is a guess to the bad side, and says that.
DELAYS: Final[dict[str, tuple[float, float, str]]] = {
    "role": (0, 600, "https://learn.microsoft.com/azure/role-based-access-control/troubleshooting: up to ten minutes"),
    "role on a cluster": (0, 300, "https://learn.microsoft.com/azure/aks/manage-azure-rbac: up to five minutes"),
    "container": (0, 60, "https://learn.microsoft.com/rest/api/storageservices/create-container: 409 and 404 around "
                  "creation and deletion are to be repeated; the length is a guess"),
    "datastore": (0, 60, "a guess: Azure ML's asset services read Resource Manager's writes later"),
    "identity": (0, 120, "https://learn.microsoft.com/azure/role-based-access-control/troubleshooting: a new principal "
                 "is replicated to the directory after it was created"),
    "issuer": (0, 60, "https://learn.microsoft.com/azure/aks/use-oidc-issuer: the discovery document comes after the "
               "cluster; that its URL is late too is a guess to the bad side"),
    "list": (0, 30, "https://learn.microsoft.com/azure/azure-resource-manager/troubleshooting/error-not-found: a list "
             "and a GET may lag a create by replication"),
    "address": (20, 300, "https://learn.microsoft.com/azure/aks/load-balancer-standard: EXTERNAL-IP is <pending>"),
    "build": (60, 600, "https://learn.microsoft.com/azure/container-registry/container-registry-tasks-overview: a "
              "build takes what it takes; one with packages minutes"),
    "queue of builds": (0, 120, "https://learn.microsoft.com/azure/container-registry/container-registry-faq: runs "
                        "wait for an agent"),
    "container starts": (5, 120, "https://learn.microsoft.com/azure/container-instances/container-instances-faq: a "
                         "large image takes minutes to pull"),
}  # fmt: skip
# How long the operation itself runs, by ARM type. Figures of the portals and of reports, rounded up.
OPERATIONS: Final[dict[str, tuple[float, float]]] = {
    "Microsoft.ContainerService/managedClusters": (180, 900),
    "Microsoft.ContainerService/managedClusters/agentPools": (90, 600),
    "Microsoft.ContainerService/managedClusters/maintenanceConfigurations": (1, 5),
    "Microsoft.MachineLearningServices/workspaces": (20, 120),
    "Microsoft.MachineLearningServices/workspaces/computes": (10, 90),
    "Microsoft.MachineLearningServices/workspaces/batchEndpoints": (5, 60),
    "Microsoft.MachineLearningServices/workspaces/batchEndpoints/deployments": (5, 90),
    "Microsoft.ContainerRegistry/registries": (5, 40),
    "Microsoft.ContainerInstance/containerGroups": (5, 120),
    "Microsoft.Storage/storageAccounts": (5, 40),
    "Microsoft.KeyVault/vaults": (5, 40),
    "Microsoft.Devices/IotHubs": (60, 300),
    "Microsoft.ManagedIdentity/userAssignedIdentities/federatedIdentityCredentials": (1, 10),
}  # fmt: skip
_OTHERS: Final = (0.2, 4.0)
# Of 100 requests, how many are told to come back: throttling (Retry-After) and another operation on the same resource.
# https://learn.microsoft.com/azure/azure-resource-manager/management/request-limits-and-throttling
_BUSY: Final = 2


@dataclass
class Nature:
    """What happens when. ``seed`` None: at once, and nobody is ever busy."""

    seed: int | None = None
    clock: Clock = field(default_factory=Clock)
    scale: dict[str, float] = field(default_factory=dict[str, float])
    """A kind of delay that a test wants gone (0), at its longest (1), or beyond, whatever the seed."""

    def __post_init__(self) -> None:
        self._drawn: Counter[str] = Counter()
        self._lock = Lock()

    def delay(self, kind: str, key: str = "") -> float:
        """How long the effect of ``kind`` takes for ``key``: often nothing, often as long as Azure says at most."""
        shortest, longest, _ = DELAYS[kind]
        if kind in self.scale:
            return longest * self.scale[kind]
        return self._draw(kind + key, shortest, longest)

    def operation(self, arm: str, key: str) -> float:
        """How long an operation on a resource of this type runs."""
        return self._draw(arm + key, *OPERATIONS.get(arm, _OTHERS))

    def busy(self, key: str) -> str:
        """``429`` or ``409`` where this request is told to come back; else an empty string."""
        if self.seed is None:
            return ""
        roll = self._random(f"busy{key}").randrange(100)
        return ("429", "409")[roll] if roll < _BUSY else ""

    def _draw(self, key: str, shortest: float, longest: float) -> float:
        if self.seed is None:
            return 0.0
        found = self._random(key)
        return found.choice((shortest, longest, found.uniform(shortest, longest)))

    def _random(self, key: str) -> random.Random:
        with self._lock:
            self._drawn[key] += 1
            return random.Random(f"{self.seed}/{key}/{self._drawn[key]}")
