"""What makes GPUs of nodes something that pods can ask for: NVIDIA's device plugin. AKS installs the driver only."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import pulumi
from pulumi_kubernetes import Provider
from pulumi_kubernetes.apps.v1 import DaemonSet

from components.base import below

# https://learn.microsoft.com/azure/aks/use-nvidia-gpu (the manifest of the device plugin)
_IMAGE: Final = "nvcr.io/nvidia/k8s-device-plugin:v0.17.1"
_NAME: Final = "nvidia-device-plugin"
_FOLDER: Final = "/var/lib/kubelet/device-plugins"


def device_plugin(target: str, kubeconfig: pulumi.Input[str], pools: Sequence[str]) -> DaemonSet:
    """One pod on each node of the named pools, which tells the node's kubelet of its GPUs (`nvidia.com/gpu`).

    Args:
        target: the target's name.
        kubeconfig: of the cluster.
        pools: the names of its pools with GPUs.
    """
    provider = Provider(
        f"{target}-devices",
        kubeconfig=pulumi.Output.secret(kubeconfig),
        enable_server_side_apply=True,
        suppress_deprecation_warnings=True,
        opts=below(),
    )
    labels = {"app.kubernetes.io/name": _NAME, "app.kubernetes.io/managed-by": "mldeploy"}
    made: dict[str, Any] = {
        "metadata": {
            "name": _NAME,
            "namespace": "kube-system",
            "labels": labels,
            # Pools of GPUs begin without a node.
            "annotations": {"pulumi.com/skipAwait": "true"},
        },
        "spec": {
            "selector": {"matchLabels": {"app.kubernetes.io/name": _NAME}},
            "updateStrategy": {"type": "RollingUpdate"},
            "template": {"metadata": {"labels": labels}, "spec": _pod(pools)},
        },
    }
    return DaemonSet(f"{target}-{_NAME}", **made, opts=below(pulumi.ResourceOptions(provider=provider)))


def _pod(pools: Sequence[str]) -> dict[str, Any]:
    term = {"matchExpressions": [{"key": "mldeploy.io/pool", "operator": "In", "values": sorted(pools)}]}
    container = {
        "name": _NAME,
        "image": _IMAGE,
        "env": [{"name": "FAIL_ON_INIT_ERROR", "value": "false"}],
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
        "volumeMounts": [{"name": "device-plugin", "mountPath": _FOLDER}],
    }
    return {
        "priorityClassName": "system-node-critical",
        "automountServiceAccountToken": False,
        "affinity": {
            "nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [term]}}
        },
        # The taints of pools with GPUs and of spot nodes.
        "tolerations": [
            {"key": "sku", "operator": "Equal", "value": "gpu", "effect": "NoSchedule"},
            {"key": "kubernetes.azure.com/scalesetpriority", "operator": "Exists", "effect": "NoSchedule"},
        ],
        "containers": [container],
        "volumes": [{"name": "device-plugin", "hostPath": {"path": _FOLDER}}],
    }
