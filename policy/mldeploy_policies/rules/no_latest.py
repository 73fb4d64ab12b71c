"""Images have a version."""

from __future__ import annotations

from collections.abc import Iterator

from pulumi_policy import ResourceValidationArgs, Severity

from mldeploy_policies.reading import DEPLOYMENT, GROUP, containers, text
from mldeploy_policies.rule import Rule, Settings


def check(args: ResourceValidationArgs, settings: Settings) -> Iterator[str]:
    for container in containers(args.resource_type, args.props):
        image = text(container.image)
        if image is None or "@sha256:" in image:
            continue
        tag = image.rpartition("/")[2].partition(":")[2]
        if tag in ("", "latest"):
            yield f"container {container.name} runs {image!r}, which is another image every day"


RULE = Rule(
    name="no-latest",
    description="No container runs an image without a tag, or with the tag `latest`.",
    fix="Name a digest or a tag.",
    severity=Severity.HIGH,
    types=(GROUP, DEPLOYMENT),
    check=check,
)
