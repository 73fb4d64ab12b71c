"""Everything is in regions that are allowed."""

from __future__ import annotations

from collections.abc import Iterator

from pulumi_policy import ResourceValidationArgs, Severity

from mldeploy_policies.reading import at, text
from mldeploy_policies.rule import Rule, Settings


def check(args: ResourceValidationArgs, settings: Settings) -> Iterator[str]:
    if not args.resource_type.startswith("azure-native:"):
        return
    location = text(at(args.props, "location"))
    if location is None:
        return
    short = location.replace(" ", "").lower()
    if short != "global" and short not in settings["regions"]:
        yield f"is in {short}; allowed: {', '.join(settings['regions'])}"


RULE = Rule(
    name="allowed-regions",
    description="Azure resources are in a region of the list.",
    fix="Change location, or add the region to the setting `regions`.",
    severity=Severity.HIGH,
    check=check,
    defaults={"regions": ["westeurope", "northeurope"]},
)
