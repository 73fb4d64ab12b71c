"""Inputs and outputs are kept only where that was agreed."""

from __future__ import annotations

import json
from collections.abc import Iterator

from pulumi_policy import ResourceValidationArgs, Severity

from mldeploy_policies.reading import SERVICES, UNKNOWN, at, noting_unknown, scoring, text
from mldeploy_policies.rule import Rule, Settings


def check(args: ResourceValidationArgs, settings: Settings) -> Iterator[str]:
    for container in scoring(args.resource_type, args.props):
        service = container.setting("service")
        with noting_unknown():
            found = container.setting("collect_model_data")
        # It is there only when data is collected; where to may not be known yet.
        if found is None or (found is not UNKNOWN and not _enabled(found)):
            continue
        if service not in settings["services"]:
            allowed = ", ".join(settings["services"]) or "none"
            yield f"collects what clients of {service} send; allowed for: {allowed}"


def _enabled(setting: object) -> bool:
    written = text(setting)
    try:
        document = json.loads(written) if written is not None else setting
    except ValueError:
        return True
    return at(document, "enabled", True) is not False


RULE = Rule(
    name="data-collection",
    description="Only services of the list collect inputs and outputs.",
    fix="Remove collect_model_data, or add the service to the setting `services`.",
    severity=Severity.HIGH,
    types=SERVICES,
    check=check,
    defaults={"services": []},
)
