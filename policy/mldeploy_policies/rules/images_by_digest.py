"""Images are named by their content."""

from __future__ import annotations

from collections.abc import Iterator

from pulumi_policy import ResourceValidationArgs

from mldeploy_policies.reading import IMAGES, images, text
from mldeploy_policies.rule import Rule, Settings


def check(args: ResourceValidationArgs, settings: Settings) -> Iterator[str]:
    for what, found in images(args.resource_type, args.props):
        image = text(found)
        if image is not None and "@sha256:" not in image:
            yield f"{what} runs {image!r}, whose tag somebody can move"


RULE = Rule(
    name="images-by-digest",
    description="Containers name their image by digest.",
    fix="Deploy images that mldeploy built; an own image is written name@sha256:<digest>.",
    types=IMAGES,
    check=check,
)
