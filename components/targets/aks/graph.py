"""`type: aks`: services on an AKS cluster, created or attached."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pulumi
from pulumi_azure_native.managedidentity import FederatedIdentityCredential

from components import naming
from components.context import Context, Endpoint
from components.foundation import ids as azure_ids
from components.foundation import stack as azure_parts
from components.foundation.deployer import deployer
from components.images.context import container_image
from components.kubernetes import objects
from components.kubernetes.kubeconfig import with_kubelogin
from components.kubernetes.services import Place, deploy_on
from components.models.azure_model import in_workspace as register_model
from components.targets.aks.args import AksClusterArgs, Attach, NodePool
from components.targets.aks.cluster import AksCluster
from components.targets.aks.gpu import device_plugin
from mldeploy.manifest import Service
from mldeploy.manifest.kinds.aks import AksTarget

__all__ = ["deploy", "register_model"]
_AUDIENCE = "api://AzureADTokenExchange"
_CREATE = (
    "agent_count",
    "max_count",
    "vm_size",
    "vcpus",
    "cluster_purpose",
    "system_vm_size",
    "kubernetes_version",
    "private",
    "subnet_id",
    "pod_cidr",
    "service_cidr",
    "dns_service_ip",
    "managed_prometheus",
    "azure_monitor_workspace_id",
    "protect",
)


def deploy(
    context: Context, name: str, target: AksTarget, services: Mapping[str, Service]
) -> dict[str, Endpoint]:
    """The cluster (one for many services), and one endpoint a service.

    Raises:
        pulumi.RunError: the cluster would be too small, or a service cannot be as the manifest says.
    """
    try:
        cluster = _cluster(context, name, target)
    except ValueError as error:
        raise pulumi.RunError(f"targets.{name}: {error}") from None
    region = None if target.attach else _region(context, name, target)
    space = target.namespace or naming.namespace(context.project, context.stack, name)
    extras = {
        key: _extras(context, key, service, cluster, service.namespace or space)
        for key, service in services.items()
    }
    place = Place(
        kubeconfig=cluster.kubeconfig.apply(with_kubelogin),
        target_name=name,
        target=target,
        balancer=True,
        region=region,
        extras=extras,
    )
    if target.create and (gpus := [pool.name for pool in target.create.pools if pool.gpu]):
        device_plugin(name, place.kubeconfig, gpus)
    return deploy_on(context, place, services)


def _region(context: Context, name: str, target: AksTarget) -> str:
    return azure_parts.location(context, target.create.location if target.create else None, f"targets.{name}")


def _cluster(context: Context, name: str, target: AksTarget) -> AksCluster:
    if target.attach is not None:
        given = target.attach
        attach = Attach(
            resource_group=given.resource_group,
            cluster_name=given.cluster_name,
            cluster_purpose=given.cluster_purpose,
            vcpus=given.vcpus,
            subscription_id=given.subscription_id,
        )
        # Whose images the services run: those of the stack's registry.
        registry = azure_parts.foundation(context).registry_id
        return AksCluster(f"{name}-cluster", AksClusterArgs(attach=attach, registry_id=registry))
    create, base = target.create, azure_parts.foundation(context)
    if create is None:
        raise pulumi.RunError(f"targets.{name}: needs create or attach")
    who = deployer(context)
    tags = azure_ids.standard_tags(
        context.project, context.stack, context.manifest.azure.tags, target.tags, dict(create.tags)
    )
    args = AksClusterArgs(
        **{key: getattr(create, key) for key in _CREATE},
        resource_group=base.resource_group,
        cluster_name=create.cluster_name or naming.dns_label(context.project, context.stack, name, limit=63),
        location=_region(context, name, target),
        pools=[NodePool(**pool.model_dump()) for pool in create.pools],
        zones=list(create.zones),
        authorized_ip_ranges=list(create.authorized_ip_ranges),
        admin_group_ids=list(create.admin_group_ids),
        maintenance_day=create.maintenance.day,
        maintenance_start=create.maintenance.start,
        log_analytics_id=base.log_analytics_id,
        registry_id=base.registry_id,
        deployer_principal_id=who.principal_id,
        deployer_type=who.principal_type,
        tags=tags,
    )
    return AksCluster(f"{name}-cluster", args)


def _extras(
    context: Context, name: str, service: Service, cluster: AksCluster, namespace: str
) -> dict[str, Any]:
    base, image = azure_parts.foundation(context), context.manifest.images[service.image]
    models = {model: register_model(context, model).version for model in image.models}
    # The pods speak to storage and to Application Insights as the service's own identity, without any key.
    identity = azure_parts.service_identity(context, name, folder=objects.object_name(name))
    credential = FederatedIdentityCredential(
        f"{name}-federation",
        resource_group_name=base.resource_group,
        resource_name_=identity.identity_name,
        federated_identity_credential_resource_name=naming.dns_label(
            context.project, context.stack, name, limit=100
        ),
        issuer=cluster.oidc_issuer_url,
        subject=f"system:serviceaccount:{namespace}:{objects.object_name(name)}",
        audiences=[_AUDIENCE],
    )
    # Whoever works as the identity needs the credential and the grants first.
    needed = pulumi.Output.all(identity.client_id, credential.id, *[grant.urn for grant in identity.grants])
    client = needed.apply(lambda found: str(found[0]))
    found: dict[str, Any] = {
        "image": container_image(context, service.image).reference,
        "models": models,
        "identity_client_id": client,
        "collect_destination": base.collected_data_url,
    }
    if service.enable_app_insights:
        connection = pulumi.Output.secret(base.app_insights_connection)
        found["secret_environment"] = {"APPLICATIONINSIGHTS_CONNECTION_STRING": connection}
    return found
