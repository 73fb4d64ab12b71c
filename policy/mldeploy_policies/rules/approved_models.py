"""Only approved models serve."""

from __future__ import annotations

from collections.abc import Iterator

from pulumi_policy import ResourceValidationArgs, Severity

from mldeploy_policies.reading import UNKNOWN, at, key
from mldeploy_policies.rule import Rule, Settings

_STORED = "mldeploy:model:StoredModel"


def check(args: ResourceValidationArgs, settings: Settings) -> Iterator[str]:
    tags = at(args.props, "tags" if args.resource_type == _STORED else "properties.tags", {})
    if tags is UNKNOWN or at(args.props, "properties.isArchived") is True:
        return
    for name, value in settings["tags"].items():
        if key(tags, name) not in (value, UNKNOWN):
            yield f"has no tag {name}: {value}"


RULE = Rule(
    name="approved-models",
    description="Registered models have the tags that mark them as approved.",
    fix="Tag the model in the manifest once it was reviewed: tags: {stage: approved}.",
    severity=Severity.HIGH,
    types=("azure-native:machinelearningservices:ModelVersion", _STORED),
    check=check,
    defaults={"tags": {"stage": "approved"}},
)
