"""The stack's foundation, and where things of the workspace are. It exists once, whatever uses it."""

from __future__ import annotations

from collections.abc import Mapping

import pulumi

from components.context import Context, complaints
from components.foundation import ids as azure_ids
from components.foundation.args import FoundationArgs
from components.foundation.deployer import deployer
from components.foundation.foundation import Foundation
from components.foundation.identity import ServiceIdentity, ServiceIdentityArgs
from components.foundation.roles import Role
from mldeploy.manifest import Azure, KeyVaultRef, written_secrets

NAME = "azure"
_PARTS = ("resource_group", "workspace", "storage", "key_vault", "registry", "app_insights", "log_analytics")


def location(context: Context, own: str | None, where: str) -> str:
    """The region of a target.

    Raises:
        pulumi.RunError: neither the target nor `azure:` has one.
    """
    found = own or context.manifest.azure.location
    if found is None:
        raise pulumi.RunError(
            f"{where}: no location; give it, or `azure: {{location: westeurope}}` for the stack"
        )
    return found


def foundation(context: Context) -> Foundation:
    """The stack's foundation, made on first use."""

    def make() -> Foundation:
        azure = context.manifest.azure
        own = next(
            (found for t in context.manifest.targets.values() if (found := getattr(t, "location", None))),
            None,
        )
        with complaints("azure"):
            return Foundation(
                NAME,
                FoundationArgs(
                    project=context.project,
                    stack=context.stack,
                    location=location(context, azure.location or own, "azure"),
                    existing=existing(azure),
                    tags=dict(azure.tags),
                    deployer_principal_id=deployer(context).principal_id,
                    deployer_type=deployer(context).principal_type,
                    registry_sku=azure.registry.sku,
                    log_retention_days=azure.log_analytics.retention_days,
                    vault_secrets=_names_vault_secrets(context),
                    protect=azure.protect,
                ),
            )

    return context.shared(("azure", "foundation"), make)


def _names_vault_secrets(context: Context) -> bool:
    """Whether some secret is named by its name in the stack's own vault."""
    named = written_secrets(context.manifest.model_dump(exclude_none=True), "keyvault")
    return any(KeyVaultRef(keyvault=name).address[0] is None for _, name in named)


def existing(azure: Azure) -> dict[str, str]:
    """The parts that the manifest says exist, by name."""
    found = {part: getattr(azure, part).existing for part in _PARTS}
    return {part: ident for part, ident in found.items() if ident is not None}


def workspace_group(context: Context) -> pulumi.Input[str]:
    """The workspace's resource group: that of an existing one may be another."""
    given = context.manifest.azure.workspace.existing
    return azure_ids.parse(given).group if given else foundation(context).resource_group


def workspace_location(context: Context) -> pulumi.Input[str]:
    """The workspace's region: that of an existing one is asked from Azure."""
    given, base = context.manifest.azure.workspace.existing, foundation(context)
    if given is None:
        return base.location
    from pulumi_azure_native import machinelearningservices

    ident = azure_ids.parse(given)
    found = machinelearningservices.get_workspace_output(
        resource_group_name=ident.group, workspace_name=ident.name
    )
    # As `eastus`, however Azure shows it.
    return found.location.apply(lambda text: (text or "").replace(" ", "").lower())


def service_identity(
    context: Context,
    name: str,
    *,
    folder: str | None = None,
    pulls: bool = False,
    account_roles: Mapping[Role, str] | None = None,
    settle_seconds: int | None = None,
) -> ServiceIdentity:
    """The identity of one service: it may pull where it ``pulls`` itself, and write what the service collects."""
    base, service = foundation(context), context.manifest.services[name]
    collect = service.collect_model_data
    own = collect is not None and collect.enabled and collect.destination is None
    return ServiceIdentity(
        f"{name}-identity",
        ServiceIdentityArgs(
            project=context.project,
            stack=context.stack,
            service=name,
            folder=folder,
            resource_group=base.resource_group,
            location=base.location,
            registry_id=base.registry_id if pulls else None,
            collected_id=base.collected_id if own else None,
            account_roles=account_roles or {},
            account_id=base.storage_id,
            settle_seconds=settle_seconds,
            tags=azure_ids.standard_tags(
                context.project, context.stack, context.manifest.azure.tags, {"service": name}
            ),
        ),
    )
