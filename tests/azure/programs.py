"""Components with arguments that are right, for tests to bend."""

from __future__ import annotations

from typing import Any

import pulumi

from components.foundation.args import FoundationArgs
from components.foundation.foundation import Foundation
from components.images.container_image import ContainerImage, ContainerImageArgs, RegistryLogin
from components.models.azure_model import AzureModel, AzureModelArgs
from components.targets.aci.args import AciEndpointArgs
from components.targets.aci.endpoint import AciEndpoint
from components.targets.aks.args import AksClusterArgs, NodePool
from components.targets.aks.cluster import AksCluster
from components.targets.batch.endpoint import BatchEndpoint, BatchEndpointArgs
from tests.azure.standin.arm import SUBSCRIPTION

GROUP = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg"
WORKSPACE = f"{GROUP}/providers/Microsoft.MachineLearningServices/workspaces/ws-one"
STORAGE = f"{GROUP}/providers/Microsoft.Storage/storageAccounts/stexample"
REGISTRY = f"{GROUP}/providers/Microsoft.ContainerRegistry/registries/crexample"
IDENTITY = f"{GROUP}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/id-one"
LOGS = f"{GROUP}/providers/Microsoft.OperationalInsights/workspaces/log-one"
SUBNET = f"{GROUP}/providers/Microsoft.Network/virtualNetworks/vnet/subnets/one"
PRINCIPAL = "44444444-4444-4444-8444-444444444444"
CLIENT = "55555555-5555-4555-8555-555555555555"
DIGEST = "sha256:" + "ab" * 32
LINKS = (GROUP, WORKSPACE, STORAGE, REGISTRY, IDENTITY, LOGS, SUBNET)


def foundation(**changes: Any) -> Foundation:
    args: dict[str, Any] = {
        "project": "mldeploy", "stack": "dev", "location": "westeurope", "tags": {"team": "health"},
        "deployer_principal_id": PRINCIPAL,
    }  # fmt: skip
    return Foundation("azure", FoundationArgs(**args | changes))


def aci(**changes: Any) -> AciEndpoint:
    args: dict[str, Any] = {
        "image": f"crexample.azurecr.io/mldeploy/diabetes@{DIGEST}", "registry_server": "crexample.azurecr.io",
        "identity_id": IDENTITY, "identity_client_id": CLIENT, "identity_principal_id": PRINCIPAL,
        "resource_group": "rg", "resource_group_id": GROUP, "location": "westeurope",
        "dns_label": "mldeploy-dev-diabetes", "auth_enabled": True, "cpu_cores": 1.0, "memory_gb": 1.5,
        "ssl": {"cert": pulumi.Output.secret("CERT"), "key": pulumi.Output.secret("KEY")},
        "settings": {"scoring_timeout_ms": 60000}, "environment_variables": {"MODE": "test"},
        "app_insights_connection": pulumi.Output.secret("InstrumentationKey=x"),
        "log_analytics_id": CLIENT, "log_analytics_key": pulumi.Output.secret("bG9n"),
        "collect_model_data": {"enabled": True}, "collect_destination": "https://stexample.blob.core.windows.net/modeldata",
        "tags": {"team": "health"}, "zone": "1",
    }  # fmt: skip
    return AciEndpoint("diabetes", AciEndpointArgs(**args | changes))


def aks(**changes: Any) -> AksCluster:
    args: dict[str, Any] = {
        "resource_group": "rg", "cluster_name": "aks-prod", "location": "westeurope", "registry_id": REGISTRY,
        "log_analytics_id": LOGS, "tags": {"team": "health"}, "zones": ("1", "2", "3"), "kubernetes_version": "1.33",
        "pools": [NodePool(name="gpu", vm_size="Standard_NC4as_T4_v3", spot=True, gpu=True)],
        "admin_group_ids": [PRINCIPAL], "authorized_ip_ranges": ["198.51.100.0/24"], "subnet_id": SUBNET,
    }  # fmt: skip
    return AksCluster("prod", AksClusterArgs(**args | changes))


def batch(**changes: Any) -> BatchEndpoint:
    args: dict[str, Any] = {
        "image": f"crexample.azurecr.io/mldeploy/diabetes-batch@{DIGEST}", "image_version": DIGEST,
        "model_id": f"{WORKSPACE}/models/diabetes/versions/1", "model_name": "diabetes", "model_version": "1",
        "resource_group": "rg", "workspace": "ws-one", "location": "westeurope",
        "account_url": "https://stexample.blob.core.windows.net", "identity_id": IDENTITY,
        "identity_client_id": CLIENT, "adapter": "entry_scripts/diabetes",
        "endpoint_name": "diabetes-dev", "compute_name": "nightly", "tags": {"team": "health"},
        "schedule": "0 3 * * *", "schedule_input": "azureml://datastores/workspaceblobstore/paths/incoming/",
    }  # fmt: skip
    return BatchEndpoint("diabetes", BatchEndpointArgs(**args | changes))


def model(name: str = "diabetes", **changes: Any) -> AzureModel:
    args: dict[str, Any] = {
        "source": "models/diabetes/sklearn_regression_model.pkl", "resource_group": "rg", "workspace": "ws-one",
        "datastore_uri": f"azureml://subscriptions/{SUBSCRIPTION}/resourcegroups/rg/workspaces/ws-one/datastores/mldeploy/paths",
        "account_url": "https://stexample.blob.core.windows.net", "tags": {"stage": "approved"},
        "properties": {"owner": "ml"}, "description": "Ridge regression",
    }  # fmt: skip
    return AzureModel(name, AzureModelArgs(**args | changes))


def image(**changes: Any) -> ContainerImage:
    args: dict[str, Any] = {
        "context": "entry_scripts/diabetes", "tag": "ab" * 16, "repository": "mldeploy/diabetes",
        "server": "crexample.azurecr.io", "registry_id": REGISTRY,
        "base_registry": RegistryLogin(
            address="base.example.org", username="puller", password=pulumi.Output.secret("pw")
        ),
        "package_index": pulumi.Output.secret("https://user:pw@index.example.org/simple"),
    }  # fmt: skip
    return ContainerImage("diabetes-image", ContainerImageArgs(**args | changes))


PROGRAMS = {"foundation": foundation, "aci": aci, "aks": aks, "batch": batch, "model": model, "image": image}
