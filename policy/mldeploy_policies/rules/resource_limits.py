"""Nobody eats the node."""

from __future__ import annotations

from collections.abc import Iterator

from pulumi_policy import ResourceValidationArgs

from mldeploy_policies.reading import DEPLOYMENT, UNKNOWN, at, containers
from mldeploy_policies.rule import Rule, Settings

_WANTED = [f"{kind}.{what}" for kind in ("requests", "limits") for what in ("cpu", "memory")]


def check(args: ResourceValidationArgs, settings: Settings) -> Iterator[str]:
    for container in containers(args.resource_type, args.props):
        resources = at(container.raw, "resources", {})
        if resources is UNKNOWN:
            continue
        missing = [path for path in _WANTED if at(resources, path) is None]
        if missing:
            yield f"container {container.name} has no {', '.join(missing)}"


RULE = Rule(
    name="resource-limits",
    description="Containers request and limit CPU and memory.",
    fix="Write cpu_cores and memory_gb (and their limits).",
    types=(DEPLOYMENT,),
    check=check,
)
