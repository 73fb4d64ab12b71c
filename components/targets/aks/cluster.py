"""`AksCluster`: a Kubernetes cluster for many services: created, or an existing one attached."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Any, ClassVar

import pulumi
from pulumi_azure_native import Provider, managedidentity
from pulumi_azure_native import containerservice as aks

from components import naming
from components.base import Component
from components.foundation.roles import grant
from components.kubernetes.kubeconfig import with_kubelogin
from components.sdk.azure import ClusterShape, Seen
from components.sdk.kubernetes import ClusterAccess
from components.targets.aks.args import AksClusterArgs, Attach
from components.targets.aks.attached import check, issuer_of, kubelet, kubelet_of
from components.targets.aks.logs import collect_logs
from components.targets.aks.metrics import ClusterMetrics, ClusterMetricsArgs
from components.targets.aks.pools import create_maintenance, create_pools, system_pool
from components.targets.aks.rules import validate

_API = "2025-09-01"
_SETTLE_SECONDS = 600


class AksCluster(Component):
    """An AKS cluster with a small system pool and an autoscaled user pool: Azure CNI overlay, workload identity,
    Entra logins only. The kubeconfig logs in with `kubelogin`; it holds no credentials and is a secret all the same.
    """

    group: ClassVar[str] = "azure"

    cluster_name: pulumi.Output[str]
    cluster_id: pulumi.Output[str]
    resource_group: pulumi.Output[str]
    node_resource_group: pulumi.Output[str]
    kubeconfig: pulumi.Output[str]
    oidc_issuer_url: pulumi.Output[str]
    fqdn: pulumi.Output[str]

    def __init__(self, name: str, args: AksClusterArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        validate(args)
        super().__init__(name, opts, args.customize)
        self._name, self._args = name, args
        self._identity: managedidentity.UserAssignedIdentity | None = None
        if args.attach is not None:
            self._attach(args.attach)
            return
        assert args.resource_group is not None
        group = pulumi.Output.from_input(args.resource_group)
        cluster = self._cluster(group, [self._shape(), *self._subnet_right(group)])
        pools = create_pools(self, name, args, group, cluster.name)
        create_maintenance(self, name, args, group, cluster.name, pools.last)
        if args.managed_prometheus:
            self._metrics(group, cluster)
        if args.log_analytics_id is not None:
            self._logs(group, cluster, args.log_analytics_id)
        if args.registry_id is not None:
            grant(
                f"{name}-pull",
                "AcrPull",
                scope=args.registry_id,
                principal_id=cluster.identity_profile.apply(kubelet),
                opts=self.child(),
            )
        # Services need the user pool and the right to be created: whoever uses the kubeconfig waits for both.
        kubeconfig = self._kubeconfig(group, cluster.name, pulumi.InvokeOptions(parent=self))
        access = ClusterAccess(
            f"{name}-access",
            kubeconfig=kubeconfig.apply(with_kubelogin),
            cluster_id=cluster.id,
            principal_id=args.deployer_principal_id,
            opts=self.child(depends_on=[pools.workers, *self._deployer(cluster)]),
        )
        # By its URN, which a preview knows.
        usable = pulumi.Output.all(kubeconfig, access.urn).apply(lambda found: str(found[0]))
        for drain in pools.drains:
            drain(usable.apply(with_kubelogin))
        self.publish(
            {
                "cluster_name": cluster.name,
                "cluster_id": cluster.id,
                "resource_group": group,
                "node_resource_group": cluster.node_resource_group.apply(lambda text: text or ""),
                "kubeconfig": pulumi.Output.secret(usable),
                "oidc_issuer_url": self._issuer(cluster),
                "fqdn": pulumi.Output.all(cluster.fqdn, cluster.private_fqdn).apply(
                    lambda pair: str(pair[0] or pair[1] or "")
                ),
            }
        )

    def _shape(self) -> ClusterShape:
        return ClusterShape(
            f"{self._name}-shape",
            cluster=self._args.cluster_name,
            pod_cidr=self._args.pod_cidr,
            service_cidr=self._args.service_cidr,
            dns_service_ip=self._args.dns_service_ip,
            subnet_id=self._args.subnet_id or "",
            system_vm_size=self._args.system_vm_size,
            private=self._args.private,
            opts=self.child(),
        )

    def _subnet_right(self, group: pulumi.Output[str]) -> list[pulumi.Resource]:
        """Nodes and load balancers in a subnet of one's own need a right there before the cluster is made: so the
        cluster has an identity that exists before it."""
        args = self._args
        if args.subnet_id is None:
            return []
        self._identity = managedidentity.UserAssignedIdentity(
            f"{self._name}-identity",
            resource_group_name=group,
            resource_name_=naming.dns_label("id", args.cluster_name, limit=120),
            location=args.location,
            tags=dict(args.tags),
            opts=self.child(),
        )
        right = grant(
            f"{self._name}-subnet",
            "Network Contributor",
            scope=args.subnet_id,
            principal_id=self._identity.principal_id,
            # Nobody but the cluster can see that it works, and a cluster that is refused is not asked for again.
            settle_seconds=_SETTLE_SECONDS,
            opts=self.child(),
        )
        return [right]

    def _cluster(self, group: pulumi.Output[str], needs: list[pulumi.Resource]) -> aks.ManagedCluster:
        args = self._args
        return aks.ManagedCluster(
            f"{self._name}-cluster",
            resource_group_name=group,
            resource_name_=args.cluster_name,
            location=args.location,
            dns_prefix=args.cluster_name.replace("_", "-")[:54].strip("-"),
            kubernetes_version=args.kubernetes_version,
            sku=aks.ManagedClusterSKUArgs(
                name="Base", tier="Free" if args.cluster_purpose == "dev_test" else "Standard"
            ),
            identity=aks.ManagedClusterIdentityArgs(type=aks.ResourceIdentityType.SYSTEM_ASSIGNED)
            if self._identity is None
            else aks.ManagedClusterIdentityArgs(
                type=aks.ResourceIdentityType.USER_ASSIGNED, user_assigned_identities=[self._identity.id]
            ),
            agent_pool_profiles=[system_pool(args)],
            enable_rbac=True,
            disable_local_accounts=True,
            aad_profile=aks.ManagedClusterAADProfileArgs(
                managed=True, enable_azure_rbac=True, admin_group_object_ids=list(args.admin_group_ids)
            ),
            oidc_issuer_profile=aks.ManagedClusterOIDCIssuerProfileArgs(enabled=True),
            security_profile=aks.ManagedClusterSecurityProfileArgs(
                workload_identity=aks.ManagedClusterSecurityProfileWorkloadIdentityArgs(enabled=True),
                image_cleaner=aks.ManagedClusterSecurityProfileImageCleanerArgs(
                    enabled=True, interval_hours=168
                ),
            ),
            network_profile=aks.ContainerServiceNetworkProfileArgs(
                network_plugin="azure",
                network_plugin_mode="overlay",
                network_dataplane="cilium",
                network_policy="cilium",
                load_balancer_sku="standard",
                pod_cidr=args.pod_cidr,
                service_cidr=args.service_cidr,
                dns_service_ip=args.dns_service_ip,
            ),
            api_server_access_profile=aks.ManagedClusterAPIServerAccessProfileArgs(
                enable_private_cluster=args.private,
                disable_run_command=True,
                authorized_ip_ranges=list(args.authorized_ip_ranges) or None,
            ),
            auto_upgrade_profile=aks.ManagedClusterAutoUpgradeProfileArgs(
                upgrade_channel="patch", node_os_upgrade_channel="NodeImage"
            ),
            addon_profiles=self._addons(),
            azure_monitor_profile=aks.ManagedClusterAzureMonitorProfileArgs(
                metrics=aks.ManagedClusterAzureMonitorProfileMetricsArgs(enabled=args.managed_prometheus)
            ),
            tags=dict(args.tags),
            opts=self.child(protect=True if args.protect else None, depends_on=needs),
        )

    def _issuer(self, cluster: aks.ManagedCluster) -> pulumi.Output[str]:
        """The issuer's address, which may come after the cluster, and which no update of it changes."""
        return Seen(
            f"{self._name}-issuer",
            resource_id=cluster.id,
            api_version=_API,
            property_path="properties.oidcIssuerProfile.issuerURL",
            # A cluster that is made anew under the same name has another one.
            born=cluster.identity_profile.apply(kubelet),
            opts=self.child(),
        ).value

    def _metrics(self, group: pulumi.Output[str], cluster: aks.ManagedCluster) -> None:
        args = self._args
        assert args.location is not None
        ClusterMetrics(
            f"{self._name}-metrics",
            ClusterMetricsArgs(
                cluster_id=cluster.id,
                cluster_name=args.cluster_name,
                resource_group=group,
                location=args.location,
                workspace_id=args.azure_monitor_workspace_id,
                tags=args.tags,
            ),
            self.child(),
        )

    def _logs(
        self, group: pulumi.Output[str], cluster: aks.ManagedCluster, workspace: pulumi.Input[str]
    ) -> None:
        args = self._args
        assert args.location is not None
        collect_logs(
            self,
            self._name,
            cluster_id=cluster.id,
            cluster_name=args.cluster_name,
            resource_group=group,
            location=args.location,
            workspace_id=workspace,
            tags=args.tags,
        )

    def _deployer(self, cluster: aks.ManagedCluster) -> list[pulumi.Resource]:
        """Local accounts are off, so even who creates the cluster needs a role on it."""
        args = self._args
        if args.deployer_principal_id is None:
            return []
        made = grant(
            f"{self._name}-deployer",
            "Azure Kubernetes Service RBAC Cluster Admin",
            scope=cluster.id,
            principal_id=args.deployer_principal_id,
            principal_type=args.deployer_type,
            opts=self.child(),
        )
        return [made]

    def _addons(self) -> dict[str, aks.ManagedClusterAddonProfileArgs]:
        args = self._args
        addons = {"azurepolicy": aks.ManagedClusterAddonProfileArgs(enabled=True)}
        if args.log_analytics_id is not None:
            addons["omsagent"] = aks.ManagedClusterAddonProfileArgs(
                enabled=True,
                config={"logAnalyticsWorkspaceResourceID": args.log_analytics_id, "useAADAuth": "true"},
            )
        return addons

    def _kubeconfig(
        self, group: pulumi.Input[str], cluster: pulumi.Input[str], options: pulumi.InvokeOptions
    ) -> pulumi.Output[str]:
        found = aks.list_managed_cluster_user_credentials_output(
            resource_group_name=group,
            resource_name=cluster,
            format="exec",
            opts=options,
        )
        return pulumi.Output.secret(found.kubeconfigs.apply(_decode))

    def _attach(self, attach: Attach) -> None:
        options = pulumi.InvokeOptions(parent=self)
        if attach.subscription_id is not None:
            own = Provider(
                f"{self._name}-subscription", subscription_id=attach.subscription_id, opts=self.child()
            )
            options = pulumi.InvokeOptions(parent=self, provider=own)
        found = aks.get_managed_cluster_output(
            resource_group_name=attach.resource_group, resource_name=attach.cluster_name, opts=options
        )
        checked = pulumi.Output.all(
            found.agent_pool_profiles, found.oidc_issuer_profile, found.security_profile
        ).apply(lambda parts: check(attach, *parts))
        name = pulumi.Output.all(found.name, checked).apply(lambda pair: pair[0])
        if self._args.registry_id is not None:
            # The nodes of somebody's cluster pull from our registry: that is a right on the registry.
            grant(
                f"{self._name}-pull",
                "AcrPull",
                scope=self._args.registry_id,
                principal_id=pulumi.Output.all(found.identity_profile, checked).apply(
                    lambda pair: kubelet_of(attach, pair[0])
                ),
                opts=self.child(),
            )
        self.publish(
            {
                "cluster_name": name,
                "cluster_id": found.id.apply(lambda text: text or ""),
                "resource_group": attach.resource_group,
                "node_resource_group": found.node_resource_group.apply(lambda text: text or ""),
                "kubeconfig": self._kubeconfig(attach.resource_group, name, options),
                "oidc_issuer_url": pulumi.Output.all(found.oidc_issuer_profile, checked).apply(
                    lambda pair: issuer_of(pair[0])
                ),
                "fqdn": found.fqdn.apply(lambda text: text or ""),
            }
        )


def _decode(configs: Sequence[Any] | None) -> str:
    if not configs:
        raise ValueError("the cluster gave no user credentials: may you list them (Cluster User role)?")
    first = configs[0]
    return base64.b64decode(str(first.value)).decode()
