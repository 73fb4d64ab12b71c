"""Images are named by their content."""

from __future__ import annotations

from collections.abc import Iterator

from pulumi_policy import ResourceValidationArgs

from mldeploy_policies.reading import DEPLOYMENT, GROUP, scoring, text
from mldeploy_policies.rule import Rule, Settings


def check(args: ResourceValidationArgs, settings: Settings) -> Iterator[str]:
    for container in scoring(args.resource_type, args.props):
        image = text(container.image)
        if image is not None and "@sha256:" not in image:
            yield f"container {container.name} runs {image!r}, whose tag somebody can move"


RULE = Rule(
    name="images-by-digest",
    description="Scoring containers name their image by digest.",
    fix="Deploy images that mldeploy built; an own image is written name@sha256:<digest>.",
    types=(GROUP, DEPLOYMENT),
    check=check,
)
