"""ACI is for development."""

from __future__ import annotations

from collections.abc import Iterator

from pulumi_policy import ResourceValidationArgs

from mldeploy_policies.reading import GROUP
from mldeploy_policies.rule import Rule, Settings


def check(args: ResourceValidationArgs, settings: Settings) -> Iterator[str]:
    yield "is a container group: one instance, no rollout, no autoscaling"


RULE = Rule(
    name="no-aci",
    description="Services of this stack do not run on Container Instances.",
    fix="Use a target of type aks.",
    types=(GROUP,),
    check=check,
)
