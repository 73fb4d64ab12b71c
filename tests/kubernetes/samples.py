"""Workloads that the tests share."""

from __future__ import annotations

from typing import Any

from components.kubernetes import objects
from components.kubernetes.objects import Scaling
from components.kubernetes.workload import Workload

IMAGE = "registry.example.org/mldeploy/diabetes@sha256:" + "a" * 64


def workload(**changes: Any) -> Workload:
    values: dict[str, Any] = {
        "service": "diabetes",
        "namespace": "models",
        "image": IMAGE,
        "models": {"diabetes": "1"},
        "cpu_cores": 0.5,
        "memory_gb": 1.0,
    }
    return Workload(**{**values, **changes})


VARIANTS: dict[str, Workload] = {
    "plain": workload(),
    "no-auth": workload(auth_enabled=False),
    "gpu": workload(gpu_cores=1, node_selector={"pool": "gpu"}, priority_class="high"),
    "tls": workload(tls=True),
    "everything": workload(
        cpu_cores_limit=2,
        memory_gb_limit=3.5,
        collect_model_data={"enabled": True, "sampling": 0.1},
        enable_app_insights=True,
        environment_variables={"LEVEL": "debug"},
        secret_environment={"TOKEN": "TOKEN"},
        probes={
            "period_seconds": 20,
            "initial_delay_seconds": 60,
            "timeout_seconds": 3,
            "failure_threshold": 5,
        },
        workload_identity=True,
        image_pull_secrets=("pull",),
        tolerations=[{"key": "spot", "operator": "Exists"}],
        autoscaled=True,
    ),
}


def everything(item: Workload, scaling: Scaling | None = None) -> list[tuple[str, str, dict[str, Any]]]:
    """(apiVersion, kind, object) of all objects of a service, in the order in which they are made."""
    scaling = scaling or Scaling(enabled=item.autoscaled, replicas=2, min_replicas=2, max_replicas=5)
    made = [
        ("v1", "Namespace", objects.namespace(item.namespace)),
        (
            "v1",
            "ResourceQuota",
            objects.resource_quota("quota", item.namespace, {"requests.cpu": "20", "pods": "50"}),
        ),
        ("v1", "ServiceAccount", objects.service_account(item, {"azure.workload.identity/client-id": "0"})),
        ("networking.k8s.io/v1", "NetworkPolicy", objects.network_policy(item, ["web"])),
        (
            "v1",
            "Secret",
            objects.secret(item.service, item.namespace, "keys") | {"stringData": {"keys.json": "{}"}},
        ),
        ("apps/v1", "Deployment", objects.deployment(item, scaling, {"mldeploy.dev/description": "x"})),
        ("v1", "Service", objects.version_service(item)),
        ("policy/v1", "PodDisruptionBudget", objects.disruption_budget(item)),
    ]
    if scaling.enabled:
        made.append(("autoscaling/v2", "HorizontalPodAutoscaler", objects.autoscaler(item, scaling)))
    return made
