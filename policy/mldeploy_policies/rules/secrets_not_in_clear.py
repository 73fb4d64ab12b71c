"""Containers get no secret as a plain variable."""

from __future__ import annotations

from collections.abc import Iterator

from pulumi_policy import ResourceValidationArgs, Severity

from mldeploy_policies.reading import CONTAINERS, UNKNOWN, containers, noting_unknown
from mldeploy_policies.rule import Rule, Settings
from mldeploy_policies.secret_forms import clear_secret, is_secret_name


def check(args: ResourceValidationArgs, settings: Settings) -> Iterator[str]:
    for container in containers(args.resource_type, args.props):
        for name in container.environment:
            if name in settings["allowed"] or name.startswith("SERVING_"):
                continue
            with noting_unknown():
                value = container.environment[name]
            if value is UNKNOWN and is_secret_name(name):
                value = container.environment[name]  # now it counts as not looked at
            found = clear_secret(name, value) if isinstance(value, str) else None
            if found:
                yield f"container {container.name} has {found} as the plain variable {name}"


RULE = Rule(
    name="secrets-not-in-clear",
    description="Variables that look like secrets, by name or value, are secrets.",
    fix="Write {config: ...}, {env: ...} or {keyvault: ...}; names of no secrets go to the setting `allowed`.",
    severity=Severity.CRITICAL,
    types=CONTAINERS,
    check=check,
    defaults={"allowed": []},
)
