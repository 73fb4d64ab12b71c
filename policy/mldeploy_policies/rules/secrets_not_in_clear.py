"""Containers get no secret as a plain variable."""

from __future__ import annotations

import re
from collections.abc import Iterator

from pulumi_policy import ResourceValidationArgs, Severity

from mldeploy_policies.reading import DEPLOYMENT, GROUP, containers, text
from mldeploy_policies.rule import Rule, Settings

_NAME = re.compile(
    r"(^|[_.-])(password|passwd|pwd|secret|token|credentials?|(api|access|account|private|secret)[_-]?key"
    r"|connection[_-]?string)$",
    re.IGNORECASE,
)


def check(args: ResourceValidationArgs, settings: Settings) -> Iterator[str]:
    for container in containers(args.resource_type, args.props):
        for name in container.environment:
            if _NAME.search(name) and text(container.environment[name]):
                yield f"container {container.name} has {name} as a plain variable"


RULE = Rule(
    name="secrets-not-in-clear",
    description="Variables with the names of secrets are secrets.",
    fix="Write {config: ...}, {env: ...} or {keyvault: ...} in place of the value.",
    severity=Severity.CRITICAL,
    types=(GROUP, DEPLOYMENT),
    check=check,
)
