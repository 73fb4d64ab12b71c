"""Rules of Azure Kubernetes Service."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator

from tests.azure.standin.rules.base import Fault, Request, rule

_AKS = "Microsoft.ContainerService/managedClusters"
_POOL = f"{_AKS}/agentPools"
_NETWORK = "https://learn.microsoft.com/azure/aks/azure-cni-overlay"


@rule(_AKS, "https://learn.microsoft.com/azure/aks/use-system-pools")
def system_pool(request: Request) -> Iterator[Fault]:
    """A cluster has a Linux system pool that is not Spot."""
    modes = request.every("properties.agentPoolProfiles[*].mode")
    if request.has("properties.agentPoolProfiles") and "System" not in modes:
        yield "properties.agentPoolProfiles", "has no pool of mode System"
    for pool in request.every("properties.agentPoolProfiles[*]"):
        if pool.get("mode") == "System" and pool.get("osType", "Linux") != "Linux":
            yield "properties.agentPoolProfiles.osType", "a system pool runs Linux"
        if pool.get("mode") == "System" and pool.get("scaleSetPriority") == "Spot":
            yield "properties.agentPoolProfiles.scaleSetPriority", "a system pool cannot be Spot"
        yield from _autoscaler(pool, "properties.agentPoolProfiles")


@rule(_AKS, "https://learn.microsoft.com/azure/aks/kubernetes-rbac-entra-id")
def identity(request: Request) -> Iterator[Fault]:
    """A cluster has an identity; without local accounts, Entra logins."""
    if not request.has("identity") and not request.has("properties.servicePrincipalProfile"):
        yield "identity", "a cluster needs a managed identity or a service principal"
    if request.one("properties.disableLocalAccounts") and not request.one("properties.aadProfile.managed"):
        yield "properties.disableLocalAccounts", "needs a managed aadProfile, else nobody can log in"
    if request.one("properties.aadProfile.enableAzureRBAC") and request.one("properties.enableRBAC") is False:
        yield "properties.enableRBAC", "must be true with Azure RBAC"


@rule(_AKS, "https://learn.microsoft.com/azure/aks/workload-identity-overview")
def workload_identity(request: Request) -> Iterator[Fault]:
    """Workload identity needs the OIDC issuer."""
    if request.one("properties.securityProfile.workloadIdentity.enabled") and not request.one(
        "properties.oidcIssuerProfile.enabled"
    ):
        yield "properties.oidcIssuerProfile.enabled", "must be true for workload identity"


@rule(_AKS, _NETWORK)
def cluster_network(request: Request) -> Iterator[Fault]:
    """Overlay is of Azure CNI, kubenet is refused, address ranges do not overlap, DNS is inside."""
    plugin, mode = (
        request.one("properties.networkProfile.networkPlugin"),
        "properties.networkProfile.networkPluginMode",
    )
    if plugin == "kubenet":
        yield (
            "properties.networkProfile.networkPlugin",
            "kubenet is retired on 2028-03-31: use azure with overlay",
        )
    if request.one(mode) == "overlay" and plugin != "azure":
        yield mode, "overlay needs networkPlugin azure"
    ranges = {}
    for name in ("podCidr", "serviceCidr"):
        text = request.one(f"properties.networkProfile.{name}")
        if isinstance(text, str):
            try:
                ranges[name] = ipaddress.ip_network(text)
            except ValueError:
                yield f"properties.networkProfile.{name}", f"is {text!r}, no address range"
    if len(ranges) == 2 and ranges["podCidr"].overlaps(ranges["serviceCidr"]):
        yield "properties.networkProfile.serviceCidr", "overlaps podCidr"
    dns = request.one("properties.networkProfile.dnsServiceIP")
    if dns and "serviceCidr" in ranges and ipaddress.ip_address(dns) not in ranges["serviceCidr"]:
        yield "properties.networkProfile.dnsServiceIP", f"{dns} is not in serviceCidr"


@rule(_AKS, "https://learn.microsoft.com/azure/aks/supported-kubernetes-versions")
def version(request: Request) -> Iterator[Fault]:
    """A Kubernetes version is 1.NN or 1.NN.P."""
    text = request.one("properties.kubernetesVersion")
    if isinstance(text, str) and not re.fullmatch(r"1\.\d{2}(\.\d{1,2})?", text):
        yield "properties.kubernetesVersion", f"is {text!r}; allowed: 1.NN or 1.NN.P"


@rule(_AKS, "https://learn.microsoft.com/rest/api/aks/managed-clusters/create-or-update")
def dns(request: Request) -> Iterator[Fault]:
    """A DNS prefix of 1-54 characters is required."""
    prefix = request.one("properties.dnsPrefix")
    if not request.has("properties.dnsPrefix") and not request.has("properties.fqdnSubdomain"):
        yield "properties.dnsPrefix", "is required"
    if isinstance(prefix, str) and not re.fullmatch(r"[a-zA-Z0-9]([a-zA-Z0-9-]{0,52}[a-zA-Z0-9])?", prefix):
        yield "properties.dnsPrefix", f"is {prefix!r}; allowed: 1-54 letters, digits and hyphens"


@rule(_POOL, "https://learn.microsoft.com/azure/aks/cluster-autoscaler")
def pool_scaling(request: Request) -> Iterator[Fault]:
    """The autoscaler has both bounds, in order, at most 1000; without it none."""
    yield from _autoscaler(request.one("properties", {}), "properties")


@rule(_POOL, "https://learn.microsoft.com/azure/aks/spot-node-pool")
def spot(request: Request) -> Iterator[Fault]:
    """Spot settings are for Spot pools, which are no system pools."""
    is_spot = request.one("properties.scaleSetPriority") == "Spot"
    if is_spot and request.one("properties.mode", "User") == "System":
        yield "properties.scaleSetPriority", "a system pool cannot be Spot"
    if not is_spot and request.has("properties.spotMaxPrice"):
        yield "properties.spotMaxPrice", "is for Spot pools"
    if not is_spot and request.has("properties.scaleSetEvictionPolicy"):
        yield "properties.scaleSetEvictionPolicy", "is for Spot pools"


@rule(_POOL, "https://learn.microsoft.com/azure/aks/use-labels")
def labels_and_taints(request: Request) -> Iterator[Fault]:
    """Node labels are labels and not AKS's own; taints have an effect."""
    for name in request.one("properties.nodeLabels", {}) or {}:
        if re.match(r"(.*\.)?kubernetes\.azure\.com/", name):
            yield "properties.nodeLabels", f"{name} is reserved for AKS"
        if not re.fullmatch(r"([a-z0-9.-]{1,253}/)?[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?", name):
            yield "properties.nodeLabels", f"{name!r} is no label"
    for taint in request.every("properties.nodeTaints[*]"):
        if not re.fullmatch(r"[^=:\s]+(=[^:\s]*)?:(NoSchedule|PreferNoSchedule|NoExecute)", taint):
            yield (
                "properties.nodeTaints",
                f"is {taint!r}; allowed: key=value:NoSchedule|PreferNoSchedule|NoExecute",
            )


@rule(_POOL, "https://learn.microsoft.com/azure/aks/availability-zones")
def pool_zones(request: Request) -> Iterator[Fault]:
    """Zones are 1, 2, 3."""
    for zone in request.every("properties.availabilityZones[*]"):
        if zone not in ("1", "2", "3"):
            yield "properties.availabilityZones", f"is {zone!r}; allowed: 1, 2, 3"


@rule(_POOL, "https://learn.microsoft.com/azure/virtual-machines/sizes/overview")
def pool_size(request: Request) -> Iterator[Fault]:
    """A VM size is Standard_…"""
    size = request.one("properties.vmSize")
    if isinstance(size, str) and not re.fullmatch(r"Standard_[A-Z]+\d+[a-z0-9-]*(_[A-Za-z0-9]+)*", size):
        yield "properties.vmSize", f"is {size!r}, no VM size"


@rule(f"{_AKS}/maintenanceConfigurations", "https://learn.microsoft.com/azure/aks/planned-maintenance")
def maintenance(request: Request) -> Iterator[Fault]:
    """Maintenance has one of the three names, and 4 to 24 hours."""
    if request.name not in ("default", "aksManagedAutoUpgradeSchedule", "aksManagedNodeOSUpgradeSchedule"):
        yield (
            "name",
            f"is {request.name!r}; allowed: default, aksManagedAutoUpgradeSchedule, aksManagedNodeOSUpgradeSchedule",
        )
    hours = request.one("properties.maintenanceWindow.durationHours")
    if hours is not None and not 4 <= hours <= 24:
        yield "properties.maintenanceWindow.durationHours", f"is {hours}; allowed: 4 to 24"


def _autoscaler(pool: dict, path: str) -> Iterator[Fault]:
    if not isinstance(pool, dict):
        return
    low, high, auto = pool.get("minCount"), pool.get("maxCount"), pool.get("enableAutoScaling")
    if auto and (low is None or high is None):
        yield f"{path}.minCount", "minCount and maxCount are required with enableAutoScaling"
    if not auto and (low is not None or high is not None):
        yield f"{path}.minCount", "minCount and maxCount need enableAutoScaling"
    if isinstance(low, int) and isinstance(high, int) and low > high:
        yield f"{path}.minCount", f"{low} is more than maxCount {high}"
    if pool.get("mode") == "System" and isinstance(low, int) and low < 1:
        yield f"{path}.minCount", "a system pool has at least one node"
    if isinstance(high, int) and high > 1000:
        yield f"{path}.maxCount", f"is {high}; allowed: at most 1000"
