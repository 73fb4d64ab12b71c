"""What serves in production is watched."""

from __future__ import annotations

from collections.abc import Iterator

from pulumi_policy import ResourceValidationArgs

from mldeploy_policies.reading import DEPLOYMENT, EDGE, GROUP, scoring
from mldeploy_policies.rule import Rule, Settings


def check(args: ResourceValidationArgs, settings: Settings) -> Iterator[str]:
    for container in scoring(args.resource_type, args.props):
        if not container.on("enable_app_insights"):
            yield f"{container.name} sends no telemetry"


RULE = Rule(
    name="app-insights",
    description="Services send telemetry to Application Insights.",
    fix="Write enable_app_insights: true.",
    types=(GROUP, DEPLOYMENT, EDGE),
    check=check,
)
