"""Images come from registries that are trusted."""

from __future__ import annotations

from collections.abc import Iterator
from fnmatch import fnmatch

from pulumi_policy import ResourceValidationArgs, Severity

from mldeploy_policies.reading import BUILT_ON, IMAGES, PRESENCE, at, images, text
from mldeploy_policies.rule import Rule, Settings


def check(args: ResourceValidationArgs, settings: Settings) -> Iterator[str]:
    allowed = settings["registries"]
    found = [(what, text(image)) for what, image in images(args.resource_type, args.props)]
    if args.resource_type in BUILT_ON:
        found.append(("the base image", text(at(args.props, "base_image"))))
    named = [(what, _registry(image)) for what, image in found if image is not None]
    if args.resource_type == PRESENCE:
        # Before it is built, an image has no name yet; where it will be is known.
        server = text(at(args.props, "server"))
        named += [("the image", server)] if server else []
    for what, registry in named:
        if not any(fnmatch(registry, pattern) for pattern in allowed):
            yield f"{what} comes from {registry}; allowed: {', '.join(allowed)}"


def _registry(image: str) -> str:
    first, slash, _ = image.partition("/")
    return first if slash and ("." in first or ":" in first or first == "localhost") else "docker.io"


RULE = Rule(
    name="allowed-registries",
    description="Images and their base images come from a registry of the list.",
    fix="Push the image to one of them, or add its registry to the setting `registries`.",
    severity=Severity.HIGH,
    types=(*IMAGES, *BUILT_ON),
    check=check,
    defaults={"registries": ["*.azurecr.io", "mcr.microsoft.com"]},
)
