"""Rules of Azure Container Instances."""

from __future__ import annotations

import re
from collections.abc import Iterator

from mldeploy.values.property_value import Secret
from tests.azure.standin.rules.base import Fault, Request, rule

_ACI = "Microsoft.ContainerInstance/containerGroups"
_LIMITS = (
    "https://learn.microsoft.com/azure/container-instances/container-instances-resource-and-quota-limits"
)
_YAML = "https://learn.microsoft.com/azure/container-instances/container-instances-reference-yaml"


@rule(_ACI, _LIMITS)
def sizes(request: Request) -> Iterator[Fault]:
    """A group has 1 to 4 CPUs in steps of 0.01 and up to 16 GB in steps of 0.1."""
    cpus = request.every("properties.containers[*].properties.resources.requests.cpu")
    memories = request.every("properties.containers[*].properties.resources.requests.memoryInGB")
    if cpus and sum(cpus) > 4:
        yield "properties.containers", f"ask for {sum(cpus)} CPUs; allowed in a group: at most 4"
    if memories and sum(memories) > 16:
        yield "properties.containers", f"ask for {sum(memories)} GB; allowed in a group: at most 16"
    if cpus and sum(cpus) < 1:
        yield "properties.containers", f"ask for {sum(cpus)} CPUs; a group needs at least 1"
    for memory in memories:
        if abs(memory * 10 - round(memory * 10)) > 1e-9 or memory <= 0:
            yield "properties.containers.memoryInGB", f"is {memory}; allowed: multiples of 0.1 GB"
    for cpu in cpus:
        if abs(cpu * 100 - round(cpu * 100)) > 1e-9 or cpu < 0.01:
            yield "properties.containers.cpu", f"is {cpu}; allowed: multiples of 0.01, at least 0.01"


@rule(_ACI, _YAML)
def has_image(request: Request) -> Iterator[Fault]:
    """Every container has an image, and it is an image reference."""
    for index, container in enumerate(request.every("properties.containers[*]")):
        image = container.get("properties", {}).get("image")
        if not image:
            yield f"properties.containers[{index}].properties.image", "is required"
        elif isinstance(image, str) and re.search(r"\s|^https?://", image):
            yield f"properties.containers[{index}].properties.image", f"is {image!r}, no image reference"


@rule(_ACI, _LIMITS)
def container_names(request: Request) -> Iterator[Fault]:
    """Container names are labels, used once, at most 60 in a group."""
    names = request.every("properties.containers[*].name")
    for name in names:
        if not re.fullmatch(r"(?!.*--)[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", name):
            yield (
                "properties.containers.name",
                f"is {name!r}; allowed: 1-63 lowercase letters, digits, single hyphens",
            )
    if len(set(names)) != len(names):
        yield "properties.containers.name", "is used twice"
    if len(names) > 60:
        yield "properties.containers", f"has {len(names)} containers; allowed: 60"


@rule(_ACI, "https://learn.microsoft.com/azure/container-instances/container-instances-faq")
def ports(request: Request) -> Iterator[Fault]:
    """Ports are not reserved, at most 5 are public, each belongs to one container."""
    group = set(request.every("properties.ipAddress.ports[*].port"))
    own = request.every("properties.containers[*].properties.ports[*].port")
    for port in [*group, *own]:
        if not 1 <= port <= 65535 or port in {22, 1025, 1026, 1027, 1028, 1029, 1030, 19390, 19080}:
            yield "properties.ipAddress.ports", f"{port} is reserved or no port"
    if len(group) > 5:
        yield "properties.ipAddress.ports", f"has {len(group)} ports; allowed: 5"
    for port in group - set(own):
        yield "properties.ipAddress.ports", f"{port} is exposed by no container of the group"
    if len(own) != len(set(own)):
        yield "properties.containers.ports", "a port is used by two containers"


@rule(_ACI, "https://learn.microsoft.com/azure/container-instances/container-instances-environment-variables")
def variables(request: Request) -> Iterator[Fault]:
    """Environment variables have a name and exactly one of value and secureValue."""
    for variable in request.every("properties.containers[*].properties.environmentVariables[*]"):
        name = variable.get("name", "")
        if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]{0,62}", name):
            yield "properties.containers.environmentVariables", f"{name!r} is no name of a variable"
        if variable.get("value") is not None and variable.get("secureValue") is not None:
            yield "properties.containers.environmentVariables", f"{name} has both value and secureValue"
        if variable.get("value") is None and variable.get("secureValue") is None:
            yield "properties.containers.environmentVariables", f"{name} has neither value nor secureValue"


@rule(_ACI, _YAML)
def volumes(request: Request) -> Iterator[Fault]:
    """What is mounted is declared, and each volume is of one kind."""
    declared = request.every("properties.volumes[*].name")
    for mount in request.every("properties.containers[*].properties.volumeMounts[*]"):
        if mount.get("name") not in declared:
            yield "properties.containers.volumeMounts", f"{mount.get('name')!r} is no volume of the group"
        if ":" in mount.get("mountPath", ""):
            yield "properties.containers.volumeMounts", "mountPath must not contain a colon"
    for volume in request.every("properties.volumes[*]"):
        kinds = [
            kind for kind in ("azureFile", "emptyDir", "secret", "gitRepo") if volume.get(kind) is not None
        ]
        if len(kinds) != 1:
            yield "properties.volumes", f"{volume.get('name')!r} has {len(kinds)} kinds; allowed: exactly one"


@rule(_ACI, "https://learn.microsoft.com/azure/container-instances/container-instances-volume-secret")
def secret_volumes(request: Request) -> Iterator[Fault]:
    """A secret volume's values are base64, and secrets in the program."""
    for index, volume in enumerate(request.raw.get("properties", {}).get("volumes") or []):
        content = volume.get("secret") if isinstance(volume, dict) else None
        if isinstance(content, dict):
            for name, value in content.items():
                if not isinstance(value, Secret):
                    yield (
                        f"properties.volumes[{index}].secret.{name}",
                        "is a secret's value and must be a secret",
                    )
                elif isinstance(value.value, str) and not re.fullmatch(r"[A-Za-z0-9+/]*={0,2}", value.value):
                    yield f"properties.volumes[{index}].secret.{name}", "must be base64"


@rule(_ACI, "https://learn.microsoft.com/azure/container-instances/container-instances-vnet")
def network(request: Request) -> Iterator[Fault]:
    """A private address exactly in a subnet, and no DNS label there."""
    private = request.one("properties.ipAddress.type") == "Private"
    subnet = request.has("properties.subnetIds[*]")
    if private != subnet and request.has("properties.ipAddress"):
        yield "properties.ipAddress.type", "is Private exactly when the group is in a subnet"
    if subnet and request.has("properties.ipAddress.dnsNameLabel"):
        yield "properties.ipAddress.dnsNameLabel", "is not possible in a subnet"


@rule(_ACI, "https://learn.microsoft.com/azure/container-instances/how-to-reuse-dns-names")
def dns_label(request: Request) -> Iterator[Fault]:
    """A DNS label is 5-63 characters, and its scope prevents a takeover."""
    label = request.one("properties.ipAddress.dnsNameLabel")
    if isinstance(label, str) and not re.fullmatch(r"[a-z][a-z0-9-]{3,61}[a-z0-9]", label):
        yield (
            "properties.ipAddress.dnsNameLabel",
            f"is {label!r}; allowed: 5-63 lowercase letters, digits, hyphens",
        )
    if (
        label
        and request.one("properties.ipAddress.autoGeneratedDomainNameLabelScope", "Unsecure") == "Unsecure"
    ):
        yield "properties.ipAddress.autoGeneratedDomainNameLabelScope", "Unsecure allows a subdomain takeover"


@rule(_ACI, _YAML)
def probes(request: Request) -> Iterator[Fault]:
    """A probe is either a command or a request; its numbers are at least 1."""
    for container in request.every("properties.containers[*].properties"):
        for kind in ("livenessProbe", "readinessProbe"):
            probe = container.get(kind)
            if probe is None:
                continue
            if (probe.get("exec") is None) == (probe.get("httpGet") is None):
                yield f"properties.containers.{kind}", "has exactly one of exec and httpGet"
            for key in ("periodSeconds", "failureThreshold", "timeoutSeconds", "successThreshold"):
                value = probe.get(key)
                if isinstance(value, int | float) and value < 1:
                    yield f"properties.containers.{kind}.{key}", f"is {value}; allowed: at least 1"


@rule(_ACI, "https://learn.microsoft.com/azure/container-instances/using-azure-container-registry-mi")
def registry_identity(request: Request) -> Iterator[Fault]:
    """A registry's login is one of the group's identities, or a user and a password."""
    own = {str(key).lower() for key in (request.one("identity.userAssignedIdentities", {}) or {})}
    kind = request.one("identity.type", "")
    if own and "UserAssigned" not in kind:
        yield "identity.type", f"is {kind!r} though user-assigned identities are given"
    for credential in request.every("properties.imageRegistryCredentials[*]"):
        identity = credential.get("identity")
        if isinstance(identity, str) and own and identity.lower() not in own:
            yield "properties.imageRegistryCredentials.identity", "is not one of the group's identities"
        if identity is None and credential.get("username") is None:
            yield "properties.imageRegistryCredentials", "needs an identity, or a username and a password"
        server = credential.get("server")
        if isinstance(server, str) and "/" in server:
            yield "properties.imageRegistryCredentials.server", f"is {server!r}; allowed: a host name"


@rule(_ACI, "https://learn.microsoft.com/azure/reliability/reliability-containers")
def one_zone(request: Request) -> Iterator[Fault]:
    """A group is in one zone: 1, 2 or 3."""
    zones = request.one("zones", [])
    if len(zones) > 1 or any(zone not in ("1", "2", "3") for zone in zones):
        yield "zones", f"is {zones!r}; allowed: one of 1, 2, 3"
