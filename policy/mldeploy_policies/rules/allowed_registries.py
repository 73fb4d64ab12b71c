"""Images come from registries that are trusted."""

from __future__ import annotations

from collections.abc import Iterator
from fnmatch import fnmatch

from pulumi_policy import ResourceValidationArgs, Severity

from mldeploy_policies.reading import DEPLOYMENT, GROUP, containers, text
from mldeploy_policies.rule import Rule, Settings


def check(args: ResourceValidationArgs, settings: Settings) -> Iterator[str]:
    allowed = settings["registries"]
    for container in containers(args.resource_type, args.props):
        image = text(container.image)
        if image is None:
            continue
        registry = _registry(image)
        if not any(fnmatch(registry, pattern) for pattern in allowed):
            yield f"container {container.name} comes from {registry}; allowed: {', '.join(allowed)}"


def _registry(image: str) -> str:
    first, slash, _ = image.partition("/")
    return first if slash and ("." in first or ":" in first or first == "localhost") else "docker.io"


RULE = Rule(
    name="allowed-registries",
    description="Images come from a registry of the list.",
    fix="Push the image to one of them, or add its registry to the setting `registries`.",
    severity=Severity.HIGH,
    types=(GROUP, DEPLOYMENT),
    check=check,
    defaults={"registries": ["*.azurecr.io", "mcr.microsoft.com"]},
)
