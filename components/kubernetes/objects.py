"""The objects around the pods: one function a kind, each returning the object's JSON without `apiVersion` and
`kind`."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from components.kubernetes.workload import (
    MANAGED_BY,
    PORT,
    SERVICE_LABEL,
    Workload,
    labels,
    pod_template,
    selector,
    version_of,
)
from components.naming import dns_label

FIELD_MANAGER = "mldeploy"
SKIP_AWAIT = {"pulumi.com/skipAwait": "true"}
"""The gate waits, because it can say why a version does not get ready."""
_SCALE_DOWN_STABILIZATION_SECONDS = 300
_HPA_MAX_PERIOD_SECONDS = 1800
# Longer than the startup probe allows, so that a slow model is not called a failed rollout.
_PROGRESS_MARGIN_SECONDS = 120
# A name plus "-<version>" has to be a label.
_SERVICE_NAME_LIMIT = 50


@dataclass(frozen=True, kw_only=True)
class Scaling:
    """How many pods: a fixed number, or bounds that the autoscaler works in."""

    replicas: int = 1
    enabled: bool = False
    """Whether a HorizontalPodAutoscaler owns the number."""
    min_replicas: int = 1
    max_replicas: int = 10
    target_utilization: int = 70
    """Percent of the CPU request."""
    refresh_seconds: int = 10
    """v1's `autoscale_refresh_seconds`: the period of the scaling policies."""

    @property
    def floor(self) -> int:
        """The smallest number of pods of a version that takes traffic."""
        return self.min_replicas if self.enabled else self.replicas


def object_name(service: str) -> str:
    """The service's name as a label with room for a version behind it."""
    return dns_label(service, limit=_SERVICE_NAME_LIMIT)


def versioned(service: str, version: str) -> str:
    """The name of one version's Deployment, Service, autoscaler and disruption budget."""
    return f"{service}-{version}"


def metadata(
    name: str, namespace: str | None, found: Mapping[str, str], annotations: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """ObjectMeta. The field manager is fixed, so that another checkout or machine is the same manager."""
    made: dict[str, Any] = {
        "name": name,
        "labels": dict(found),
        "annotations": {"pulumi.com/patchFieldManager": FIELD_MANAGER, **(annotations or {})},
    }
    return made | ({"namespace": namespace} if namespace else {})


def namespace(name: str) -> dict[str, Any]:
    """A namespace that enforces Pod Security `restricted`."""
    levels = {f"pod-security.kubernetes.io/{mode}": "restricted" for mode in ("enforce", "audit", "warn")}
    return {"metadata": metadata(name, None, {**MANAGED_BY, **levels})}


def resource_quota(name: str, space: str, hard: Mapping[str, str]) -> dict[str, Any]:
    """What everything in the namespace may use together."""
    return {"metadata": metadata(name, space, MANAGED_BY), "spec": {"hard": dict(sorted(hard.items()))}}


def service_account(workload: Workload, annotations: Mapping[str, str] | None = None) -> dict[str, Any]:
    """The pods' identity in the cluster."""
    name = workload.service_account or workload.service
    return {
        "metadata": metadata(name, workload.namespace, labels(workload.service), annotations),
        "automountServiceAccountToken": False,
    }


def deployment(
    workload: Workload, scaling: Scaling, facts: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """One version's Deployment. With the autoscaler on it names no number of replicas: whoever names it owns it.

    Args:
        workload: the pods.
        scaling: how many.
        facts: annotations for people and tools (description, tags, properties).
    """
    version = version_of(workload)
    spec: dict[str, Any] = {
        "selector": {"matchLabels": selector(workload.service, version)},
        "template": pod_template(workload, version),
        "revisionHistoryLimit": 1,
        "minReadySeconds": 0,
        "progressDeadlineSeconds": workload.probes.get("initial_delay_seconds", 310)
        + _PROGRESS_MARGIN_SECONDS,
        "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": "25%"}},
    }
    if not scaling.enabled:
        spec["replicas"] = scaling.replicas
    models = json.dumps(dict(sorted(workload.models.items())))
    annotations = {**SKIP_AWAIT, "mldeploy.dev/models": models, **(facts or {})}
    found = labels(workload.service, version)
    name = versioned(workload.service, version)
    return {"metadata": metadata(name, workload.namespace, found, annotations), "spec": spec}


def version_service(workload: Workload) -> dict[str, Any]:
    """The Service of one version: what a route's weight points at, and what its gate scores."""
    version = version_of(workload)
    name = versioned(workload.service, version)
    return {
        "metadata": metadata(name, workload.namespace, labels(workload.service, version), SKIP_AWAIT),
        "spec": {
            "type": "ClusterIP",
            "selector": selector(workload.service, version),
            "ports": [service_port()],
        },
    }


def service_port() -> dict[str, Any]:
    """Port 80 of a Service, to the pods' scoring port."""
    return {"name": "http", "port": 80, "targetPort": "scoring", "protocol": "TCP", "appProtocol": "http"}


def autoscaler(workload: Workload, scaling: Scaling) -> dict[str, Any]:
    """A HorizontalPodAutoscaler on CPU. Up at once and fast, down slowly: a model is expensive to start."""
    version = version_of(workload)
    name = versioned(workload.service, version)
    period = max(1, min(scaling.refresh_seconds, _HPA_MAX_PERIOD_SECONDS))
    metric = {
        "type": "Resource",
        "resource": {
            "name": "cpu",
            "target": {"type": "Utilization", "averageUtilization": scaling.target_utilization},
        },
    }
    behavior = {
        "scaleUp": {
            "stabilizationWindowSeconds": 0,
            "selectPolicy": "Max",
            "policies": [
                {"type": "Percent", "value": 100, "periodSeconds": period},
                {"type": "Pods", "value": 2, "periodSeconds": period},
            ],
        },
        "scaleDown": {
            "stabilizationWindowSeconds": _SCALE_DOWN_STABILIZATION_SECONDS,
            "selectPolicy": "Max",
            "policies": [{"type": "Percent", "value": 50, "periodSeconds": max(period, 60)}],
        },
    }
    return {
        "metadata": metadata(name, workload.namespace, labels(workload.service, version)),
        "spec": {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": name},
            "minReplicas": scaling.min_replicas,
            "maxReplicas": scaling.max_replicas,
            "metrics": [metric],
            "behavior": behavior,
        },
    }


def disruption_budget(workload: Workload) -> dict[str, Any]:
    """At most one pod of a version away at a time. A single pod may go too: else no node could ever be drained."""
    version = version_of(workload)
    name = versioned(workload.service, version)
    return {
        "metadata": metadata(name, workload.namespace, labels(workload.service, version)),
        "spec": {
            "maxUnavailable": 1,
            "selector": {"matchLabels": selector(workload.service, version)},
            # A pod that is broken anyway does not hold up the maintenance of its node.
            "unhealthyPodEvictionPolicy": "AlwaysAllow",
        },
    }


def network_policy(
    workload: Workload, callers: Sequence[str], egress: Sequence[Mapping[str, Any]] = ()
) -> dict[str, Any]:
    """Who may speak with the pods, and whom they may speak with.

    Args:
        workload: the pods.
        callers: namespaces whose pods may score. Empty means everybody: no selector knows the addresses of a
            load balancer's clients or of an API server on a host's network.
        egress: whom they may speak with besides DNS and port 443: `to` (addresses) or `namespace`, `ports`, `protocol`.
    """
    spaces = [
        {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": name}}}
        for name in sorted({*callers, workload.namespace, "kube-system"})
    ]
    scoring: dict[str, Any] = {"ports": [{"protocol": "TCP", "port": PORT}]}
    if callers:
        scoring["from"] = spaces
    dns = {
        "to": [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "kube-system"}}}],
        "ports": [{"protocol": "UDP", "port": 53}, {"protocol": "TCP", "port": 53}],
    }
    spec: dict[str, Any] = {
        "podSelector": {"matchLabels": {SERVICE_LABEL: workload.service}},
        "policyTypes": ["Ingress", "Egress"],
        "ingress": [scoring],
        # Telemetry and collected data go to Azure over TLS.
        "egress": [dns, {"ports": [{"protocol": "TCP", "port": 443}]}, *map(_egress, egress)],
    }
    return {
        "metadata": metadata(workload.service, workload.namespace, labels(workload.service)),
        "spec": spec,
    }


def _egress(rule: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if rule.get("to"):
        found["to"] = [{"ipBlock": {"cidr": rule["to"]}}]
    elif rule.get("namespace"):
        found["to"] = [
            {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": rule["namespace"]}}}
        ]
    if rule.get("ports"):
        found["ports"] = [{"protocol": rule.get("protocol", "TCP"), "port": port} for port in rule["ports"]]
    return found


def secret(service: str, space: str, role: str, kind: str = "Opaque") -> dict[str, Any]:
    """A Secret's frame, `<service>-<role>`; the caller adds `stringData` as a secret Output."""
    return {"metadata": metadata(f"{service}-{role}", space, labels(service)), "type": kind}


def keys_file(primary: str, secondary: str) -> str:
    """The text of the keys file that the scoring server reads again when it changes."""
    return json.dumps({"primary": primary, "secondary": secondary})


def certificate(service: str, space: str, hostname: str, issuer: str) -> dict[str, Any]:
    """A cert-manager Certificate that fills the secret `<service>-tls`."""
    return {
        "metadata": metadata(f"{service}-tls", space, labels(service)),
        "spec": {
            "secretName": f"{service}-tls",
            "dnsNames": [hostname],
            "issuerRef": {"name": issuer, "kind": "ClusterIssuer", "group": "cert-manager.io"},
            "privateKey": {"algorithm": "ECDSA", "size": 256, "rotationPolicy": "Always"},
        },
    }


@dataclass(frozen=True, kw_only=True)
class TlsListener:
    """One service's HTTPS listener on the gateway."""

    service: str
    hostname: str
    secret_name: str


def gateway(
    name: str,
    space: str,
    class_name: str,
    listeners: Sequence[TlsListener],
    *,
    annotations: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """A Gateway of the namespace's own: HTTP, and one HTTPS listener a service with TLS.

    ``annotations`` go to the load balancer's Service
    (the leaf domain label of Azure is one).
    """
    same: dict[str, Any] = {"namespaces": {"from": "Same"}}
    made: list[dict[str, Any]] = [{"name": "http", "port": 80, "protocol": "HTTP", "allowedRoutes": same}]
    made += [
        {
            "name": dns_label("https", item.service),
            "port": 443,
            "protocol": "HTTPS",
            "hostname": item.hostname,
            "tls": {"mode": "Terminate", "certificateRefs": [{"kind": "Secret", "name": item.secret_name}]},
            "allowedRoutes": same,
        }
        for item in listeners
    ]
    spec: dict[str, Any] = {"gatewayClassName": class_name, "listeners": made}
    if annotations:
        spec["infrastructure"] = {"annotations": dict(annotations)}
    return {"metadata": metadata(name, space, MANAGED_BY), "spec": spec}
