"""Resources say whose they are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from pulumi_policy import ResourceValidationArgs

from mldeploy_policies.reading import UNKNOWN, at, key
from mldeploy_policies.rule import Rule, Settings

_TAGGED = tuple(
    f"azure-native:{kind}"
    for kind in (
        "resources:ResourceGroup",
        "storage:StorageAccount",
        "keyvault:Vault",
        "containerregistry:Registry",
        "containerinstance:ContainerGroup",
        "containerservice:ManagedCluster",
        "managedidentity:UserAssignedIdentity",
        "applicationinsights:Component",
        "operationalinsights:Workspace",
        "machinelearningservices:Workspace",
        "machinelearningservices:BatchEndpoint",
        "machinelearningservices:BatchDeployment",
        "machinelearningservices:Compute",
        "iothub:IotHubResource",
    )
)


def check(args: ResourceValidationArgs, settings: Settings) -> Iterator[str]:
    tags = at(args.props, "tags", {})
    if tags is UNKNOWN:
        return
    # Azure's tag names do not tell capitals apart.
    names = list(tags) if isinstance(tags, Mapping) else []
    there = {str(name).lower() for name in names if key(tags, name) is not None}
    missing = [name for name in settings["tags"] if name.lower() not in there]
    if missing:
        yield f"has no tag {', '.join(missing)}"


RULE = Rule(
    name="required-tags",
    description="Azure resources have the tags of the list.",
    fix="Write azure: {tags: {...}}; managed-by, project and stack are set by themselves.",
    types=_TAGGED,
    check=check,
    defaults={"tags": ["managed-by", "project", "stack"]},
)
