"""No machine is larger than agreed."""

from __future__ import annotations

from collections.abc import Iterator
from fnmatch import fnmatchcase

from pulumi_policy import ResourceValidationArgs

from mldeploy_policies.machines import vcpus
from mldeploy_policies.reading import at, text
from mldeploy_policies.rule import Rule, Settings

_PATHS = {
    "azure-native:containerservice:AgentPool": "vmSize",
    "azure-native:machinelearningservices:Compute": "properties.properties.vmSize",
}


def check(args: ResourceValidationArgs, settings: Settings) -> Iterator[str]:
    size = text(at(args.props, _PATHS[args.resource_type]))
    if size is None:
        return
    if any(fnmatchcase(size.lower(), pattern.lower()) for pattern in settings["denied"]):
        yield f"uses {size}; not allowed: {', '.join(settings['denied'])}"
    elif vcpus(size) > settings["largest"]:
        yield f"uses {size} with {vcpus(size)} vCPUs; at most {int(settings['largest'])} are allowed"


RULE = Rule(
    name="vm-sizes",
    description="Nodes are of a size that is allowed.",
    fix="Choose a smaller vm_size.",
    types=tuple(_PATHS),
    check=check,
    defaults={"denied": [], "largest": 64},
)
