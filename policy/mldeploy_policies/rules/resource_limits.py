"""Nobody eats the node."""

from __future__ import annotations

from collections.abc import Iterator

from pulumi_policy import ResourceValidationArgs

from mldeploy_policies.reading import CRON_JOB, DEPLOYMENT, EDGE, GROUP, at, containers
from mldeploy_policies.rule import Rule, Settings

_PODS = [f"resources.{kind}.{what}" for kind in ("requests", "limits") for what in ("cpu", "memory")]
_WANTED = {
    "kubernetes": _PODS,
    "aci": ["resources.requests.cpu", "resources.requests.memoryInGB"],
    "edge": ["create_options.HostConfig.NanoCpus", "create_options.HostConfig.Memory"],
}


def check(args: ResourceValidationArgs, settings: Settings) -> Iterator[str]:
    for container in containers(args.resource_type, args.props):
        missing = [path for path in _WANTED[container.kind] if at(container.raw, path) is None]
        if missing:
            yield f"container {container.name} has no {', '.join(path.removeprefix('resources.') for path in missing)}"


RULE = Rule(
    name="resource-limits",
    description="Containers request and limit CPU and memory.",
    fix="Write cpu_cores and memory_gb (and their limits).",
    types=(DEPLOYMENT, CRON_JOB, GROUP, EDGE),
    check=check,
)
