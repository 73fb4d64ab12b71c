"""What holds data is not deleted by accident."""

from __future__ import annotations

from collections.abc import Iterator

from pulumi_policy import ResourceValidationArgs

from mldeploy_policies.rule import Rule, Settings

_STATEFUL = tuple(
    f"azure-native:{kind}"
    for kind in (
        "storage:StorageAccount",
        "keyvault:Vault",
        "containerregistry:Registry",
        "machinelearningservices:Workspace",
    )
)


def check(args: ResourceValidationArgs, settings: Settings) -> Iterator[str]:
    if not args.opts.protect:
        yield "could be deleted by one wrong line"


RULE = Rule(
    name="protect-stateful",
    description="Storage, vault, registry and workspace are protected from deletion.",
    fix="Write azure: {protect: true}.",
    types=_STATEFUL,
    check=check,
)
