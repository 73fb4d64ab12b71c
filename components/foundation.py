"""`Foundation`: what the Azure services of a stack share. Each part is created, or an existing one used."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

import pulumi
from pulumi_azure_native import (
    applicationinsights,
    containerregistry,
    keyvault,
    machinelearningservices,
    managedidentity,
    operationalinsights,
    resources,
    storage,
)

from components import azure_ids, naming
from components import azure_outputs as outputs
from components.azure_roles import PrincipalType, grant
from components.base import Component

MODELS_CONTAINER = "models"
COLLECTED_CONTAINER = "modeldata"
DATASTORE = "mldeploy"
_EXISTING = {
    "resource_group": "",
    "log_analytics": "Microsoft.OperationalInsights/workspaces",
    "app_insights": "Microsoft.Insights/components",
    "storage": "Microsoft.Storage/storageAccounts",
    "key_vault": "Microsoft.KeyVault/vaults",
    "registry": "Microsoft.ContainerRegistry/registries",
    "workspace": "Microsoft.MachineLearningServices/workspaces",
}


@dataclass(frozen=True, kw_only=True)
class FoundationArgs:
    """Arguments of :class:`Foundation`."""

    project: str
    """The project's name: part of the resources' names."""
    stack: str
    """The stack's name: likewise."""
    location: str
    """The Azure region, `westeurope`."""
    existing: Mapping[str, str] = field(default_factory=dict[str, str])
    """Resource ids of parts to use instead of creating them: `resource_group`, `log_analytics`,
    `app_insights`, `storage`, `key_vault`, `registry`, `workspace`."""
    tags: Mapping[str, str] = field(default_factory=dict[str, str])
    """Tags of everything created."""
    deployer_principal_id: str | None = None
    """Object id of who runs `up`, for the right to upload models. Without it, grant that yourself."""
    deployer_type: PrincipalType = "ServicePrincipal"
    """What the deployer is: `ServicePrincipal` (pipelines), `User` or `Group`."""
    registry_sku: str = "Standard"
    """`Basic`, `Standard` or `Premium` (private networks, zones)."""
    log_retention_days: int = 30
    """How long logs are kept, 30 to 730 days."""
    collected_data: bool = False
    """Whether services collect data: a container for it, and the right to write there."""
    vault_secrets: bool = False
    """Whether the manifest names secrets of the vault: the deployer gets the right to read them."""
    protect: bool = False
    """Whether storage, vault, registry and workspace refuse to be deleted."""


class Foundation(Component):
    """Resource group, logs, App Insights, model storage, key vault, registry, Azure ML workspace, and the identity
    that services run as. Names that are global on Azure carry a hash of the subscription; nothing has an admin
    user, a public blob or a key that anything here uses.
    """

    group: ClassVar[str] = "azure"

    resource_group: pulumi.Output[str]
    resource_group_id: pulumi.Output[str]
    location: pulumi.Output[str]
    log_analytics_id: pulumi.Output[str]
    app_insights_connection: pulumi.Output[str]
    storage_account: pulumi.Output[str]
    storage_id: pulumi.Output[str]
    blob_endpoint: pulumi.Output[str]
    key_vault_uri: pulumi.Output[str]
    registry_name: pulumi.Output[str]
    registry_id: pulumi.Output[str]
    registry_server: pulumi.Output[str]
    workspace: pulumi.Output[str]
    workspace_id: pulumi.Output[str]
    datastore_uri: pulumi.Output[str]
    collected_data_url: pulumi.Output[str]
    identity_id: pulumi.Output[str]
    identity_client_id: pulumi.Output[str]
    identity_principal_id: pulumi.Output[str]

    def __init__(self, name: str, args: FoundationArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        validate(args)
        super().__init__(name, opts)
        self._name, self._args = name, args
        self._tags = azure_ids.standard_tags(args.project, args.stack, args.tags)
        group_name, group_id = self._resource_group()
        self._group, self._group_id = group_name, group_id
        logs_id = self._logs()
        insights_id, connection = self._insights(logs_id)
        identity = managedidentity.UserAssignedIdentity(
            f"{name}-identity",
            resource_group_name=group_name,
            resource_name_=naming.dns_label("id", args.project, args.stack, limit=120),
            location=args.location,
            tags=self._tags,
            opts=self.child(),
        )
        account, account_id, blobs = self._storage()
        collected = self._collected(account, identity.principal_id) if args.collected_data else ""
        vault_id, vault_uri = self._vault(identity.tenant_id)
        vault_uri = self._readable(vault_id, vault_uri)
        registry, registry_id = self._registry()
        workspace, workspace_id = self._workspace(insights_id, account_id, vault_id, registry_id)
        datastore = self._datastore(workspace, workspace_id, account, account_id, blobs)
        pull = grant(
            f"{name}-pull",
            "AcrPull",
            scope=registry_id,
            principal_id=identity.principal_id,
            opts=self.child(),
        )
        self.publish(
            {
                "resource_group": group_name,
                "resource_group_id": group_id,
                "location": args.location,
                "log_analytics_id": logs_id,
                "app_insights_connection": connection,
                "storage_account": account,
                "storage_id": account_id,
                "blob_endpoint": account.apply(lambda text: f"https://{text}.blob.core.windows.net"),
                "key_vault_uri": vault_uri,
                "registry_name": registry,
                "registry_id": registry_id,
                "registry_server": registry.apply(lambda text: f"{text.lower()}.azurecr.io"),
                "workspace": workspace,
                "workspace_id": workspace_id,
                "datastore_uri": datastore,
                "collected_data_url": collected,
                # Whoever uses the identity also waits for its right to pull.
                "identity_id": pulumi.Output.all(identity.id, pull.id).apply(lambda pair: pair[0]),
                "identity_client_id": identity.client_id,
                "identity_principal_id": identity.principal_id,
            }
        )

    def _existing(self, part: str) -> tuple[pulumi.Output[str], pulumi.Output[str]] | None:
        given = self._args.existing.get(part)
        if given is None:
            return None
        return pulumi.Output.from_input(
            azure_ids.parse(given, _EXISTING[part]).name
        ), pulumi.Output.from_input(given)

    def _unique(self, part: Any) -> pulumi.Output[str]:
        """A global name: the subscription comes from the group's id, so it is the same wherever `up` runs."""
        args = self._args
        return self._group_id.apply(
            lambda text: part(args.project, args.stack, azure_ids.parse(text).subscription)
        )

    def _kept(self, **options: Any) -> pulumi.ResourceOptions:
        return (
            self.child(protect=self._args.protect, **options) if self._args.protect else self.child(**options)
        )

    def _resource_group(self) -> tuple[pulumi.Output[str], pulumi.Output[str]]:
        given, args = self._args.existing.get("resource_group"), self._args
        if given is not None:
            return pulumi.Output.from_input(azure_ids.parse(given).group), pulumi.Output.from_input(given)
        group = resources.ResourceGroup(
            f"{self._name}-group",
            resource_group_name=naming.resource_group(args.project, args.stack),
            location=args.location,
            tags=self._tags,
            opts=self._kept(),
        )
        return group.name, group.id

    def _logs(self) -> pulumi.Output[str]:
        if (found := self._existing("log_analytics")) is not None:
            return found[1]
        args = self._args
        return operationalinsights.Workspace(
            f"{self._name}-logs",
            resource_group_name=self._group,
            workspace_name=naming.dns_label("log", args.project, args.stack, limit=63),
            location=args.location,
            sku=operationalinsights.WorkspaceSkuArgs(
                name=operationalinsights.WorkspaceSkuNameEnum.PER_GB2018
            ),
            retention_in_days=args.log_retention_days,
            tags=self._tags,
            opts=self.child(),
        ).id

    def _insights(self, logs_id: pulumi.Output[str]) -> tuple[pulumi.Output[str], pulumi.Output[str]]:
        args = self._args
        if (found := self._existing("app_insights")) is not None:
            ident = azure_ids.parse(args.existing["app_insights"])
            component = applicationinsights.get_component_output(
                resource_group_name=ident.group,
                resource_name=ident.name,
                opts=pulumi.InvokeOptions(parent=self),
            )
            return found[1], pulumi.Output.secret(component.connection_string)
        made = applicationinsights.Component(
            f"{self._name}-insights",
            resource_group_name=self._group,
            resource_name_=naming.dns_label("appi", args.project, args.stack, limit=120),
            location=args.location,
            kind="web",
            application_type=applicationinsights.ApplicationType.WEB,
            ingestion_mode=applicationinsights.IngestionMode.LOG_ANALYTICS,
            workspace_resource_id=logs_id,
            tags=self._tags,
            opts=self.child(),
        )
        return made.id, pulumi.Output.secret(made.connection_string)

    def _storage(self) -> tuple[pulumi.Output[str], pulumi.Output[str], storage.BlobContainer | None]:
        args = self._args
        if (found := self._existing("storage")) is not None:
            group: pulumi.Input[str] = azure_ids.parse(args.existing["storage"]).group
            account, account_id = found
        else:
            group = self._group
            made = self._storage_account()
            account, account_id = made.name, made.id
        container = storage.BlobContainer(
            f"{self._name}-models",
            resource_group_name=group,
            account_name=account,
            container_name=MODELS_CONTAINER,
            public_access=storage.PublicAccess.NONE,
            opts=self._kept(),
        )
        if args.deployer_principal_id:
            grant(
                f"{self._name}-upload",
                "Storage Blob Data Contributor",
                scope=account_id,
                principal_id=args.deployer_principal_id,
                principal_type=args.deployer_type,
                opts=self.child(),
            )
        return account, account_id, container

    def _collected(self, account: pulumi.Output[str], principal: pulumi.Input[str]) -> pulumi.Output[str]:
        """A container for collected inputs and outputs; returns its address, known once services may write there."""
        given = self._args.existing.get("storage")
        container = storage.BlobContainer(
            f"{self._name}-collected",
            resource_group_name=azure_ids.parse(given).group if given else self._group,
            account_name=account,
            container_name=COLLECTED_CONTAINER,
            public_access=storage.PublicAccess.NONE,
            opts=self._kept(),
        )
        allowed = grant(
            f"{self._name}-collect",
            "Storage Blob Data Contributor",
            scope=container.id,
            principal_id=principal,
            opts=self.child(),
        )
        return pulumi.Output.all(account, allowed.id).apply(
            lambda pair: f"https://{pair[0]}.blob.core.windows.net/{COLLECTED_CONTAINER}"
        )

    def _storage_account(self) -> storage.StorageAccount:
        made = storage.StorageAccount(
            f"{self._name}-storage",
            resource_group_name=self._group,
            account_name=self._unique(naming.storage_account),
            location=self._args.location,
            kind=storage.Kind.STORAGE_V2,
            sku=storage.SkuArgs(name=storage.SkuName.STANDARD_ZRS),
            access_tier=storage.AccessTier.HOT,
            allow_blob_public_access=False,
            # Azure ML's own datastores use the workspace's identity; nothing here needs account keys.
            allow_shared_key_access=False,
            allow_cross_tenant_replication=False,
            default_to_o_auth_authentication=True,
            enable_https_traffic_only=True,
            minimum_tls_version=storage.MinimumTlsVersion.TLS1_2,
            network_rule_set=storage.NetworkRuleSetArgs(
                bypass=storage.Bypass.AZURE_SERVICES, default_action=storage.DefaultAction.ALLOW
            ),
            tags=self._tags,
            opts=self._kept(),
        )
        storage.BlobServiceProperties(
            f"{self._name}-blobs",
            resource_group_name=self._group,
            account_name=made.name,
            blob_services_name="default",
            delete_retention_policy=storage.DeleteRetentionPolicyArgs(enabled=True, days=7),
            container_delete_retention_policy=storage.DeleteRetentionPolicyArgs(enabled=True, days=7),
            opts=self.child(),
        )
        return made

    def _vault(self, tenant_id: pulumi.Input[str]) -> tuple[pulumi.Output[str], pulumi.Output[str]]:
        if (found := self._existing("key_vault")) is not None:
            return found[1], found[0].apply(lambda text: f"https://{text}.vault.azure.net/")
        made = keyvault.Vault(
            # No fixed name: a deleted vault keeps its name for 90 days, and the next `up` must not stumble over it.
            f"{self._name}-vault",
            resource_group_name=self._group,
            location=self._args.location,
            properties=keyvault.VaultPropertiesArgs(
                tenant_id=tenant_id,
                sku=keyvault.SkuArgs(family=keyvault.SkuFamily.A, name=keyvault.SkuName.STANDARD),
                enable_rbac_authorization=True,
                enable_purge_protection=True,
                soft_delete_retention_in_days=90,
            ),
            tags=self._tags,
            opts=self._kept(),
        )
        uri = outputs.answered(made, made.properties).apply(
            lambda found: outputs.field(found, "vault_uri") or ""
        )
        return made.id, uri

    def _readable(self, vault_id: pulumi.Output[str], vault_uri: pulumi.Output[str]) -> pulumi.Output[str]:
        """The vault's address, known once the deployer may read secrets there."""
        args = self._args
        if not args.vault_secrets or not args.deployer_principal_id:
            return vault_uri
        allowed = grant(
            f"{self._name}-secrets",
            "Key Vault Secrets User",
            scope=vault_id,
            principal_id=args.deployer_principal_id,
            principal_type=args.deployer_type,
            opts=self.child(),
        )
        return pulumi.Output.all(vault_uri, allowed.id).apply(lambda pair: pair[0])

    def _registry(self) -> tuple[pulumi.Output[str], pulumi.Output[str]]:
        if (found := self._existing("registry")) is not None:
            return found
        made = containerregistry.Registry(
            f"{self._name}-registry",
            resource_group_name=self._group,
            registry_name=self._unique(naming.container_registry),
            location=self._args.location,
            sku=containerregistry.SkuArgs(name=self._args.registry_sku),
            admin_user_enabled=False,
            anonymous_pull_enabled=False,
            tags=self._tags,
            opts=self._kept(),
        )
        return made.name, made.id

    def _workspace(
        self,
        insights_id: pulumi.Input[str],
        account_id: pulumi.Input[str],
        vault_id: pulumi.Input[str],
        registry_id: pulumi.Input[str],
    ) -> tuple[pulumi.Output[str], pulumi.Output[str]]:
        if (found := self._existing("workspace")) is not None:
            return found
        made = machinelearningservices.Workspace(
            # No fixed name, for the same reason as the vault.
            f"{self._name}-workspace",
            resource_group_name=self._group,
            location=self._args.location,
            kind="Default",
            sku=machinelearningservices.SkuArgs(name="Basic", tier=machinelearningservices.SkuTier.BASIC),
            identity=machinelearningservices.ManagedServiceIdentityArgs(type="SystemAssigned"),
            friendly_name=f"{self._args.project} {self._args.stack}",
            application_insights=insights_id,
            storage_account=account_id,
            key_vault=vault_id,
            container_registry=registry_id,
            system_datastores_auth_mode="identity",
            v1_legacy_mode=False,
            tags=self._tags,
            opts=self._kept(),
        )
        return made.name, made.id

    def _datastore(
        self,
        workspace: pulumi.Output[str],
        workspace_id: pulumi.Output[str],
        account: pulumi.Input[str],
        account_id: pulumi.Output[str],
        container: storage.BlobContainer | None,
    ) -> pulumi.Output[str]:
        """The workspace's view of the models' container, without credentials. Returns the start of URIs in it."""
        given = self._args.existing.get("workspace")
        made = machinelearningservices.Datastore(
            f"{self._name}-datastore",
            resource_group_name=azure_ids.parse(given).group if given else self._group,
            workspace_name=workspace,
            name=DATASTORE,
            skip_validation=True,
            properties=machinelearningservices.AzureBlobDatastoreArgs(
                datastore_type="AzureBlob",
                credentials=machinelearningservices.NoneDatastoreCredentialsArgs(credentials_type="None"),
                account_name=account,
                container_name=MODELS_CONTAINER,
                subscription_id=account_id.apply(lambda text: azure_ids.parse(text).subscription),
                resource_group=account_id.apply(lambda text: azure_ids.parse(text).group),
                service_data_access_auth_identity="WorkspaceSystemAssignedIdentity",
                description="Models registered by mldeploy",
            ),
            opts=self.child(depends_on=[container] if container else None),
        )
        return pulumi.Output.all(workspace_id, made.name).apply(lambda pair: datastore_uri(pair[0], pair[1]))


def datastore_uri(workspace_id: str, datastore: str) -> str:
    """``azureml://subscriptions/…/datastores/<name>/paths``: to be followed by ``/<path in the container>``."""
    ident = azure_ids.parse(workspace_id)
    return (
        f"azureml://subscriptions/{ident.subscription}/resourcegroups/{ident.group}"
        f"/workspaces/{ident.name}/datastores/{datastore}/paths"
    )


def validate(args: FoundationArgs) -> None:
    """Everything that can be known before the first resource.

    Raises:
        ValueError: what is wrong, and what is allowed.
    """
    for part, ident in args.existing.items():
        if part not in _EXISTING:
            raise ValueError(f"existing: no part {part!r}; allowed: {', '.join(_EXISTING)}")
        try:
            azure_ids.parse(ident, _EXISTING[part])
        except ValueError as error:
            raise ValueError(f"existing.{part}: {error}") from None
    if not 30 <= args.log_retention_days <= 730:
        raise ValueError(f"log_retention_days is {args.log_retention_days}; allowed: 30 to 730")
    if args.registry_sku not in ("Basic", "Standard", "Premium"):
        raise ValueError(f"registry_sku is {args.registry_sku!r}; allowed: Basic, Standard, Premium")
    azure_ids.standard_tags(args.project, args.stack, args.tags)
