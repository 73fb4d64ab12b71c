"""Images have a version."""

from __future__ import annotations

from collections.abc import Iterator

from pulumi_policy import ResourceValidationArgs, Severity

from mldeploy_policies.reading import BUILT_ON, IMAGES, at, images, text
from mldeploy_policies.rule import Rule, Settings


def check(args: ResourceValidationArgs, settings: Settings) -> Iterator[str]:
    found = [(f"{what} runs", image) for what, image in images(args.resource_type, args.props)]
    if args.resource_type in BUILT_ON:
        found.append(("is built on", at(args.props, "base_image")))
    for what, named in found:
        image = text(named)
        if image is None or "@sha256:" in image:
            continue
        tag = image.rpartition("/")[2].partition(":")[2]
        if tag in ("", "latest"):
            yield f"{what} {image!r}, which is another image every day"


RULE = Rule(
    name="no-latest",
    description="No container runs or is built on an image without a tag, or with the tag `latest`.",
    fix="Name a digest or a tag.",
    severity=Severity.HIGH,
    types=(*IMAGES, *BUILT_ON),
    check=check,
)
