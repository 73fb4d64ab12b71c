"""Parts of the foundation: the resource group, logs and telemetry, the key vault, the container registry."""

from __future__ import annotations

import pulumi
from pulumi_azure_native import (
    applicationinsights,
    containerregistry,
    keyvault,
    operationalinsights,
    resources,
)

from components import naming
from components.base import Component
from components.foundation import ids as azure_ids
from components.foundation import outputs
from components.foundation.args import FoundationArgs
from components.foundation.place import Place, kept, named_by_birth
from components.foundation.roles import grant


def resource_group(
    parent: Component, name: str, args: FoundationArgs, tags: dict[str, str]
) -> tuple[pulumi.Output[str], pulumi.Output[str]]:
    """Name and id of the group of everything created."""
    given = args.existing.get("resource_group")
    if given is not None:
        return pulumi.Output.from_input(azure_ids.parse(given).group), pulumi.Output.from_input(given)
    group = resources.ResourceGroup(
        f"{name}-group",
        resource_group_name=naming.resource_group(args.project, args.stack),
        location=args.location,
        tags=tags,
        opts=kept(parent, args),
    )
    return group.name, group.id


def logs(place: Place) -> pulumi.Output[str]:
    """The id of the Log Analytics workspace."""
    if (found := place.existing("log_analytics")) is not None:
        return found[1]
    args = place.args
    return operationalinsights.Workspace(
        f"{place.name}-logs",
        resource_group_name=place.group,
        workspace_name=naming.dns_label("log", args.project, args.stack, limit=63),
        location=args.location,
        sku=operationalinsights.WorkspaceSkuArgs(name=operationalinsights.WorkspaceSkuNameEnum.PER_GB2018),
        retention_in_days=args.log_retention_days,
        tags=place.tags,
        opts=place.parent.child(),
    ).id


def insights(place: Place, logs_id: pulumi.Output[str]) -> tuple[pulumi.Output[str], pulumi.Output[str]]:
    """The id of Application Insights and its connection string, secret."""
    args = place.args
    if (found := place.existing("app_insights")) is not None:
        ident = azure_ids.parse(args.existing["app_insights"])
        component = applicationinsights.get_component_output(
            resource_group_name=ident.group,
            resource_name=ident.name,
            opts=pulumi.InvokeOptions(parent=place.parent),
        )
        return found[1], pulumi.Output.secret(component.connection_string)
    made = applicationinsights.Component(
        f"{place.name}-insights",
        resource_group_name=place.group,
        resource_name_=naming.dns_label("appi", args.project, args.stack, limit=120),
        location=args.location,
        kind="web",
        application_type=applicationinsights.ApplicationType.WEB,
        ingestion_mode=applicationinsights.IngestionMode.LOG_ANALYTICS,
        workspace_resource_id=logs_id,
        tags=place.tags,
        opts=place.parent.child(),
    )
    return made.id, pulumi.Output.secret(made.connection_string)


def key_vault(
    place: Place, tenant_id: pulumi.Input[str], born: pulumi.Output[str]
) -> tuple[pulumi.Output[str], pulumi.Output[str]]:
    """The key vault's id and address."""
    if (found := place.existing("key_vault")) is not None:
        return found[1], found[0].apply(lambda text: f"https://{text}.vault.azure.net/")
    made = keyvault.Vault(
        f"{place.name}-vault",
        resource_group_name=place.group,
        vault_name=named_by_birth(place, naming.key_vault, born),
        location=place.args.location,
        properties=keyvault.VaultPropertiesArgs(
            tenant_id=tenant_id,
            sku=keyvault.SkuArgs(family=keyvault.SkuFamily.A, name=keyvault.SkuName.STANDARD),
            enable_rbac_authorization=True,
            enable_purge_protection=True,
            soft_delete_retention_in_days=90,
        ),
        tags=place.tags,
        opts=place.kept(),
    )
    uri = outputs.answered(made, made.properties).apply(lambda found: outputs.field(found, "vault_uri") or "")
    return made.id, uri


def readable(place: Place, vault_id: pulumi.Output[str], vault_uri: pulumi.Output[str]) -> pulumi.Output[str]:
    """The vault's address, known once the deployer may read secrets there."""
    args = place.args
    if not args.vault_secrets or args.deployer_principal_id is None:
        return vault_uri
    allowed = grant(
        f"{place.name}-secrets",
        "Key Vault Secrets User",
        scope=vault_id,
        principal_id=args.deployer_principal_id,
        principal_type=args.deployer_type,
        opts=place.parent.child(),
    )
    return pulumi.Output.all(vault_uri, allowed.id).apply(lambda pair: pair[0])


def container_registry(place: Place) -> tuple[pulumi.Output[str], pulumi.Output[str]]:
    """The container registry's name and id."""
    if (found := place.existing("registry")) is not None:
        return found
    made = containerregistry.Registry(
        f"{place.name}-registry",
        resource_group_name=place.group,
        registry_name=place.unique(naming.container_registry),
        location=place.args.location,
        sku=containerregistry.SkuArgs(name=place.args.registry_sku),
        admin_user_enabled=False,
        anonymous_pull_enabled=False,
        tags=place.tags,
        opts=place.kept(),
    )
    return made.name, made.id
