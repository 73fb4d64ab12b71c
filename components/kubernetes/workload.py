"""What a service runs with, and the pod template made of it. A version is the digest of that template."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from components.images import serving_settings
from mldeploy.manifest.service import MAX_REQUEST_WAIT_TIME, SCORING_TIMEOUT_MS

SERVICE_LABEL = "mldeploy.dev/service"
VERSION_LABEL = "mldeploy.dev/version"
MANAGED_BY = {"app.kubernetes.io/managed-by": "mldeploy"}
PORT = 5001
"""Where the scoring server listens in a container; the port of Microsoft's own server."""
CONTAINER = "scoring"
KEYS_FOLDER = "/var/run/secrets/mldeploy/keys"
TLS_FOLDER = "/var/run/secrets/mldeploy/tls"
_USER = 10001
_PRE_STOP_SECONDS = 5
_STOP_MARGIN_SECONDS = 10
_VERSION_CHARS = 10


@dataclass(frozen=True, kw_only=True)
class Workload:
    """One service's pods, in plain values. Sizes: cores, GiB (decimal fractions allowed); times as the names say."""

    service: str
    namespace: str
    image: str
    """The image's reference by digest, `registry/name@sha256:…`."""
    models: Mapping[str, str] = field(default_factory=dict[str, str])
    """Version by model name: for logs and metrics; the files are in the image."""
    cpu_cores: float = 0.1
    cpu_cores_limit: float | None = None
    memory_gb: float = 0.5
    memory_gb_limit: float | None = None
    gpu_cores: int | None = None
    auth_enabled: bool = True
    scoring_timeout_ms: int = SCORING_TIMEOUT_MS
    replica_max_concurrent_requests: int = 1
    max_request_wait_time: int = MAX_REQUEST_WAIT_TIME
    enable_app_insights: bool = False
    server: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """More of the scoring server's configuration, by key."""
    collect_model_data: Mapping[str, Any] | None = None
    environment_variables: Mapping[str, str] = field(default_factory=dict[str, str])
    secret_environment: Mapping[str, str] = field(default_factory=dict[str, str])
    """Environment variables whose values are in the service's secret: variable name to the secret's key."""
    probes: Mapping[str, int] = field(default_factory=dict[str, int])
    """v1's `period_seconds`, `initial_delay_seconds`, `timeout_seconds`, `success_threshold`, `failure_threshold`."""
    tls: bool = False
    """Whether the pods themselves speak TLS, from the secret `<service>-tls`."""
    service_account: str = ""
    workload_identity: bool = False
    image_pull_secrets: Sequence[str] = ()
    node_selector: Mapping[str, str] = field(default_factory=dict[str, str])
    tolerations: Sequence[Mapping[str, Any]] = ()
    priority_class: str | None = None
    autoscaled: bool = False
    """Whether an autoscaler owns the number of pods. A switch is a new version: an apply that stops naming the
    number of an existing Deployment would set it to one."""

    @property
    def drain_seconds(self) -> int:
        """How long a stopping pod waits for open requests: the longest one that is allowed."""
        return math.ceil((self.scoring_timeout_ms + self.max_request_wait_time) / 1000)


def labels(service: str, version: str | None = None) -> dict[str, str]:
    """The labels of a service's objects, and of one version's with ``version``."""
    found = {**MANAGED_BY, "app.kubernetes.io/name": service, SERVICE_LABEL: service}
    return found | ({VERSION_LABEL: version} if version else {})


def selector(service: str, version: str) -> dict[str, str]:
    """The labels that one version's pods and no others have."""
    return {SERVICE_LABEL: service, VERSION_LABEL: version}


def version_of(workload: Workload) -> str:
    """The version: digest of the pod template. What is no part of the pods (replicas, route, keys) is no part of it."""
    canonical = json.dumps(pod_template(workload, "version"), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()[:_VERSION_CHARS]


def pod_template(workload: Workload, version: str) -> dict[str, Any]:
    """The pod template; it satisfies Pod Security `restricted`."""
    metadata: dict[str, Any] = {
        "labels": labels(workload.service, version),
        "annotations": {
            "prometheus.io/scrape": "true",
            "prometheus.io/port": str(PORT),
            "prometheus.io/path": "/metrics",
            "prometheus.io/scheme": "https" if workload.tls else "http",
            "kubectl.kubernetes.io/default-container": CONTAINER,
            "mldeploy.dev/scaling": "auto" if workload.autoscaled else "fixed",
        },
    }
    if workload.workload_identity:
        metadata["labels"]["azure.workload.identity/use"] = "true"
    spec: dict[str, Any] = {
        "containers": [_container(workload)],
        "serviceAccountName": workload.service_account or workload.service,
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": _PRE_STOP_SECONDS
        + workload.drain_seconds
        + workload.server.get("stream_drain_seconds", 0)
        + _STOP_MARGIN_SECONDS,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": _USER,
            "runAsGroup": _USER,
            "fsGroup": _USER,
            "fsGroupChangePolicy": "OnRootMismatch",
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "volumes": _volumes(workload),
    }
    spec |= _scheduling(workload, version)
    if workload.image_pull_secrets:
        spec["imagePullSecrets"] = [{"name": name} for name in workload.image_pull_secrets]
    return {"metadata": metadata, "spec": spec}


def _container(workload: Workload) -> dict[str, Any]:
    mounts: list[dict[str, Any]] = [{"name": "tmp", "mountPath": "/tmp"}]  # noqa: S108
    if workload.auth_enabled:
        # A folder, no subPath: the kubelet then renews the file when the keys rotate.
        mounts.append({"name": "keys", "mountPath": KEYS_FOLDER, "readOnly": True})
    if workload.tls:
        mounts.append({"name": "tls", "mountPath": TLS_FOLDER, "readOnly": True})
    return {
        "name": CONTAINER,
        "image": workload.image,
        "imagePullPolicy": "IfNotPresent",
        "ports": [{"name": "scoring", "containerPort": PORT, "protocol": "TCP"}],
        "env": environment(workload),
        "resources": _resources(workload),
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "runAsNonRoot": True,
            "capabilities": {"drop": ["ALL"]},
        },
        "volumeMounts": mounts,
        # While endpoints forget the pod, it still answers; then it drains.
        "lifecycle": {"preStop": {"sleep": {"seconds": _PRE_STOP_SECONDS}}},
        # What the entry script said last becomes the container's termination message.
        "terminationMessagePolicy": "FallbackToLogsOnError",
        **_probes(workload),
    }


def environment(workload: Workload) -> list[dict[str, Any]]:
    """The container's environment: the scoring server's configuration, then the user's own variables."""
    settings: dict[str, Any] = {
        "SERVICE": workload.service,
        "HOST": "0.0.0.0",
        "PORT": PORT,
        "MODELS": json.dumps(dict(sorted(workload.models.items()))),
        "AUTH_ENABLED": workload.auth_enabled,
        "SCORING_TIMEOUT_MS": workload.scoring_timeout_ms,
        "REPLICA_MAX_CONCURRENT_REQUESTS": workload.replica_max_concurrent_requests,
        "MAX_REQUEST_WAIT_TIME": workload.max_request_wait_time,
        "ENABLE_APP_INSIGHTS": workload.enable_app_insights,
        "DRAIN_SECONDS": workload.drain_seconds,
    }
    if workload.auth_enabled:
        settings["KEYS_FILE"] = f"{KEYS_FOLDER}/keys.json"
    if workload.collect_model_data:
        settings["COLLECT_MODEL_DATA"] = json.dumps(dict(workload.collect_model_data), sort_keys=True)
    if workload.tls:
        settings["SSL"] = json.dumps(
            {"cert_file": f"{TLS_FOLDER}/tls.crt", "key_file": f"{TLS_FOLDER}/tls.key"}
        )
    settings |= {key.upper(): serving_settings.text(value) for key, value in sorted(workload.server.items())}
    found: list[dict[str, Any]] = [
        {"name": f"SERVING_{key}", "value": _text(value)} for key, value in settings.items()
    ]
    found.append({"name": "SERVING_REPLICA_ID", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}})
    found += [{"name": key, "value": value} for key, value in sorted(workload.environment_variables.items())]
    found += [
        {"name": name, "valueFrom": {"secretKeyRef": {"name": f"{workload.service}-environment", "key": key}}}
        for name, key in sorted(workload.secret_environment.items())
    ]
    return found


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _volumes(workload: Workload) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = [{"name": "tmp", "emptyDir": {"sizeLimit": "512Mi"}}]
    # fsGroup makes the files readable for the server's user; nobody else is in the container.
    if workload.auth_enabled:
        found.append(
            {"name": "keys", "secret": {"secretName": f"{workload.service}-keys", "defaultMode": 0o440}}
        )
    if workload.tls:
        found.append(
            {"name": "tls", "secret": {"secretName": f"{workload.service}-tls", "defaultMode": 0o440}}
        )
    return found


def _resources(workload: Workload) -> dict[str, Any]:
    requests = {
        "cpu": _cores(workload.cpu_cores),
        "memory": _gib(workload.memory_gb),
        "ephemeral-storage": "100Mi",
    }
    limits = {
        "cpu": _cores(max(workload.cpu_cores_limit or 0, workload.cpu_cores)),
        "memory": _gib(max(workload.memory_gb_limit or 0, workload.memory_gb)),
        "ephemeral-storage": "1Gi",
    }
    if workload.gpu_cores:
        requests["nvidia.com/gpu"] = limits["nvidia.com/gpu"] = str(workload.gpu_cores)
    return {"requests": requests, "limits": limits}


def _cores(cores: float) -> str:
    """In the API server's own canonical form, so that what is read back equals what was sent."""
    thousandths = math.ceil(round(cores * 1000, 6))
    return str(thousandths // 1000) if thousandths % 1000 == 0 else f"{thousandths}m"


def _gib(gib: float) -> str:
    mebibytes = math.ceil(round(gib * 1024, 6))
    return f"{mebibytes // 1024}Gi" if mebibytes % 1024 == 0 else f"{mebibytes}Mi"


def _probes(workload: Workload) -> dict[str, Any]:
    def get(path: str) -> dict[str, Any]:
        return {"httpGet": {"path": path, "port": "scoring", "scheme": "HTTPS" if workload.tls else "HTTP"}}

    given = workload.probes
    period = given.get("period_seconds", 10)
    timeout = given.get("timeout_seconds", 2)
    # v1 waited `initial_delay_seconds` before it asked at all; a startup probe asks soon and allows as long.
    startup_period = 5
    patience = given.get("initial_delay_seconds", 310)
    return {
        "startupProbe": {
            **get("/readyz"),
            "periodSeconds": startup_period,
            "timeoutSeconds": timeout,
            "failureThreshold": max(1, math.ceil(patience / startup_period)),
        },
        "readinessProbe": {
            **get("/readyz"),
            "periodSeconds": min(5, period),
            "timeoutSeconds": timeout,
            "successThreshold": given.get("success_threshold", 1),
            "failureThreshold": given.get("failure_threshold", 3),
        },
        "livenessProbe": {
            **get("/livez"),
            "periodSeconds": period,
            # A busy model must not be killed for answering its probe late.
            "timeoutSeconds": max(timeout, 5),
            "failureThreshold": max(3, given.get("failure_threshold", 3)),
        },
    }


def _scheduling(workload: Workload, version: str) -> dict[str, Any]:
    found: dict[str, Any] = {
        "topologySpreadConstraints": [
            {
                "maxSkew": 1,
                "topologyKey": key,
                "whenUnsatisfiable": "ScheduleAnyway",
                "labelSelector": {"matchLabels": selector(workload.service, version)},
            }
            for key in ("topology.kubernetes.io/zone", "kubernetes.io/hostname")
        ]
    }
    tolerations = [dict(toleration) for toleration in workload.tolerations]
    if workload.gpu_cores:
        tolerations += [
            {"key": "sku", "operator": "Equal", "value": "gpu", "effect": "NoSchedule"},
            {"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"},
        ]
    if tolerations:
        found["tolerations"] = tolerations
    if workload.node_selector:
        found["nodeSelector"] = dict(workload.node_selector)
    if workload.priority_class:
        found["priorityClassName"] = workload.priority_class
    return found
