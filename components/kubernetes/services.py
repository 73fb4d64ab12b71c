"""What `type: kubernetes` and `type: aks` share: from the manifest's services to endpoints on a cluster."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pulumi
from pulumi_kubernetes import Provider

from components import naming, secrets
from components.base import below
from components.context import Context, Endpoint
from components.images import serving_settings
from components.images.context import plain_variables
from components.kubernetes import objects
from components.kubernetes.endpoint import AksEndpoint, AksEndpointArgs
from components.kubernetes.namespace import ServingNamespace, ServingNamespaceArgs
from components.kubernetes.objects import Scaling, TlsListener
from components.kubernetes.tls import Tls
from components.kubernetes.workload import Workload
from mldeploy.manifest import Service
from mldeploy.manifest.kinds.aks import AksTarget
from mldeploy.manifest.kinds.kubernetes import KubernetesTarget

_SETTINGS = (
    "cpu_cores_limit",
    "memory_gb_limit",
    "gpu_cores",
    "auth_enabled",
    "priority_class",
)
_DEFAULT_CORES, _DEFAULT_MEMORY = 0.1, 0.5
_AZURE_LABEL = "service.beta.kubernetes.io/azure-dns-label-name"
# https://learn.microsoft.com/azure/aks/internal-lb
_AZURE_INTERNAL = "service.beta.kubernetes.io/azure-load-balancer-internal"
_ADDRESS_SECONDS = 600
_EXISTING = frozenset({"default", "kube-system", "kube-public", "kube-node-lease"})


@dataclass(frozen=True, kw_only=True)
class Place:
    """A cluster that services are put on, and what the kind of target adds to each of them."""

    kubeconfig: pulumi.Input[str]
    """A kubeconfig with one context."""
    target_name: str
    target: AksTarget | KubernetesTarget
    balancer: bool = False
    """Whether a service without a gateway gets a load balancer of its own."""
    region: str | None = None
    """The Azure region, for leaf domain labels."""
    extras: Mapping[str, Mapping[str, Any]] = field(default_factory=dict[str, Mapping[str, Any]])
    """More arguments of :class:`AksEndpointArgs` by service: image, models, identity, telemetry."""


def deploy_on(context: Context, place: Place, services: Mapping[str, Service]) -> dict[str, Endpoint]:
    """One :class:`AksEndpoint` a service, in the target's namespace or its own.

    Raises:
        pulumi.RunError: TLS or route of a service cannot be as the manifest says.
    """
    provider = Provider(
        f"{place.target_name}-kubernetes",
        kubeconfig=pulumi.Output.secret(place.kubeconfig),
        enable_server_side_apply=True,
        # A version's objects, named by its content, outlive their resource for the way back, which finds them there.
        # So does an `up` whose last answer was lost. What others manage is safe: changing their fields is a conflict.
        upsert_existing_objects=True,
        suppress_deprecation_warnings=True,
        opts=below(),
    )
    spaces = _namespaces(context, place, services, provider)
    found: dict[str, Endpoint] = {}
    for key, service in services.items():
        space = spaces[_namespace(context, place, service)]
        options = pulumi.ResourceOptions(providers=[provider], depends_on=[space])
        found[key] = _endpoint(context, place, key, service, options)
    return found


def _namespace(context: Context, place: Place, service: Service | None = None) -> str:
    own = (service.namespace if service else None) or place.target.namespace
    return own or naming.namespace(context.project, context.stack, place.target_name)


def _namespaces(
    context: Context, place: Place, services: Mapping[str, Service], provider: Provider
) -> dict[str, ServingNamespace]:
    default = _namespace(context, place)
    names = {default, *(_namespace(context, place, service) for service in services.values())}
    own = naming.namespace(context.project, context.stack, place.target_name)
    gateway = place.target.gateway
    found: dict[str, ServingNamespace] = {}
    for name in sorted(names):
        main = name == default
        creates = main and gateway is not None and gateway.class_name is not None
        args = ServingNamespaceArgs(
            namespace=name,
            create=name not in _EXISTING,
            # A name that somebody chose may be used by others too: only our own goes with the stack.
            keep=name != own,
            quota=_hard(place) if main else {},
            gateway_name=gateway.name if creates and gateway else None,
            gateway_class=gateway.class_name if creates and gateway else None,
            listeners=_listeners(context, place, services),
            gateway_annotations=_gateway_annotations(services) | _internal_gateway(context, place, services),
        )
        logical = place.target_name if main else f"{place.target_name}-{name}"
        found[name] = ServingNamespace(logical, args, pulumi.ResourceOptions(providers=[provider]))
    return found


def _hard(place: Place) -> dict[str, str]:
    quota = place.target.quota
    if quota is None:
        return {}
    values = {
        "requests.cpu": quota.cpu_cores,
        "requests.memory": None if quota.memory_gb is None else f"{quota.memory_gb:g}Gi",
        "requests.nvidia.com/gpu": quota.gpu_cores,
        "pods": quota.pods,
    }
    return {
        key: f"{value:g}" if isinstance(value, float) else str(value)
        for key, value in values.items()
        if value is not None
    }


def _listeners(context: Context, place: Place, services: Mapping[str, Service]) -> list[TlsListener]:
    found: list[TlsListener] = []
    for key, service in services.items():
        tls = _tls(context, place, key, service)
        if tls is not None:
            name = objects.object_name(key)
            found.append(TlsListener(service=name, hostname=tls.hostname, secret_name=f"{name}-tls"))
    return found


def _gateway_annotations(services: Mapping[str, Service]) -> dict[str, str]:
    labels = {
        service.ssl.leaf_domain_label
        for service in services.values()
        if service.ssl and service.ssl.leaf_domain_label
    }
    # One gateway has one address, and so one label.
    if len(labels) > 1:
        raise pulumi.RunError(
            f"ssl.leaf_domain_label: one gateway has one label, but services name {sorted(labels)}"
        )
    return {_AZURE_LABEL: labels.pop()} if labels else {}


def _internal(place: Place, *, encrypted: bool) -> dict[str, str]:
    """What makes a load balancer of Azure an internal one: what is not encrypted is not on the internet, unless the
    target says so."""
    wanted = getattr(place.target, "load_balancer", None) or ("public" if encrypted else "internal")
    return {_AZURE_INTERNAL: "true"} if place.balancer and wanted == "internal" else {}


def _internal_gateway(context: Context, place: Place, services: Mapping[str, Service]) -> dict[str, str]:
    """One gateway has one address: it is public where some service has TLS."""
    return _internal(place, encrypted=any(_tls(context, place, *one) for one in services.items()))


def _tls(context: Context, place: Place, name: str, service: Service) -> Tls | None:
    ssl = service.ssl
    if ssl is None or not ssl.enabled:
        return None
    host = ssl.cname
    if host is None and ssl.leaf_domain_label is not None:
        if place.region is None:
            raise pulumi.RunError(
                f"services.{name}.ssl.leaf_domain_label: needs a target on AKS with a location; use cname"
            )
        host = f"{ssl.leaf_domain_label}.{place.region}.cloudapp.azure.com"
    if host is None:
        raise pulumi.RunError(f"services.{name}.ssl: needs cname or leaf_domain_label")
    if ssl.cert is not None and ssl.key is not None:
        return Tls(
            hostname=host,
            cert=secrets.certificate(context, ssl.cert),
            key=secrets.private_key(context, ssl.key),
        )
    return Tls(hostname=host, issuer=ssl.issuer or "letsencrypt")


def scaling(service: Service) -> Scaling:
    """v1's default on AKS: the autoscaler, unless a number of replicas is given."""
    if service.autoscale is None and service.num_replicas is not None:
        return Scaling(replicas=service.num_replicas)
    auto = service.autoscale
    if auto is None:
        return Scaling(enabled=True, refresh_seconds=1)
    if not auto.enabled:
        return Scaling(replicas=service.num_replicas or auto.min_replicas)
    return Scaling(
        enabled=True,
        min_replicas=auto.min_replicas,
        max_replicas=auto.max_replicas,
        target_utilization=auto.target_utilization,
        refresh_seconds=auto.refresh_seconds,
    )


def _workload(context: Context, service: Service) -> dict[str, Any]:
    settings: dict[str, Any] = {key: getattr(service, key) for key in _SETTINGS}
    settings |= serving_settings.apart(service.server_settings(), Workload.__dataclass_fields__)
    settings["cpu_cores"] = service.cpu_cores or _DEFAULT_CORES
    settings["memory_gb"] = service.memory_gb or _DEFAULT_MEMORY
    collect = service.collect_model_data
    if collect is not None and collect.enabled:
        settings["collect_model_data"] = collect.model_dump(exclude_none=True, mode="json")
    settings["probes"] = service.probes.model_dump()
    settings["node_selector"] = dict(service.node_selector)
    settings["tolerations"] = [
        _toleration(item.model_dump(exclude_none=True)) for item in service.tolerations
    ]
    settings["environment_variables"] = plain_variables(context.manifest.images[service.image])
    return settings


def _toleration(found: dict[str, Any]) -> dict[str, Any]:
    seconds = found.pop("toleration_seconds", None)
    return found if seconds is None else {**found, "tolerationSeconds": seconds}


def _secret_variables(context: Context, service: Service) -> dict[str, pulumi.Output[str]]:
    variables = context.manifest.images[service.image].environment_variables
    return {k: secrets.resolve(context, v) for k, v in variables.items() if not isinstance(v, str)}


def _route(context: Context, place: Place, name: str, service: Service) -> dict[str, Any]:
    gateway, tls = place.target.gateway, _tls(context, place, name, service)
    host = service.host or (tls.hostname if tls else None) or (gateway.host if gateway else None)
    found: dict[str, Any] = {"hostnames": [host] if host else []}
    if place.balancer:
        # A cloud's load balancer gets its address, and so does a gateway behind one.
        found["address_seconds"] = _ADDRESS_SECONDS
    if gateway is not None:
        parts = {"name": gateway.name, "namespace": gateway.namespace, "section": gateway.listener}
        found["gateway"] = {key: value for key, value in parts.items() if value is not None}
    elif place.balancer:
        found["service_type"] = "LoadBalancer"
        annotations = _internal(place, encrypted=tls is not None)
        if service.ssl and service.ssl.leaf_domain_label:
            annotations[_AZURE_LABEL] = service.ssl.leaf_domain_label
        if annotations:
            found["service_annotations"] = annotations
    return found


def _facts(service: Service) -> dict[str, str]:
    found = {"mldeploy.dev/description": service.description or ""}
    for key in ("tags", "properties"):
        values = dict(getattr(service, key))
        found[f"mldeploy.dev/{key}"] = json.dumps(values, sort_keys=True) if values else ""
    return {key: value for key, value in found.items() if value}


def _rollout(service: Service) -> dict[str, Any]:
    given = service.rollout.model_dump(exclude_none=True, mode="json") if service.rollout else {}
    given.setdefault("strategy", "blue_green")
    if "steps" in given:
        given["steps"] = list(given["steps"])
    return {**given, "keep_previous": service.keep_previous}


def _endpoint(
    context: Context, place: Place, name: str, service: Service, options: pulumi.ResourceOptions
) -> Endpoint:
    gateway = place.target.gateway
    values: dict[str, Any] = {
        "kubeconfig": place.kubeconfig,
        "namespace": _namespace(context, place, service),
        "workload": _workload(context, service),
        "scaling": scaling(service),
        "primary_key": secrets.optional(context, service.primary_key),
        "secondary_key": secrets.optional(context, service.secondary_key),
        "key_generation": (service.key_generation.primary, service.key_generation.secondary),
        "secret_environment": _secret_variables(context, service),
        "facts": _facts(service),
        "golden": [request.model_dump(exclude_none=True, mode="json") for request in service.golden],
        "rollout": _rollout(service),
        "route": _route(context, place, name, service),
        "callers": [gateway.namespace] if gateway is not None and gateway.namespace else [],
        "tls": _tls(context, place, name, service),
        "egress": [rule.model_dump(exclude_none=True, mode="json") for rule in service.egress],
    }
    extra = dict(place.extras[name])
    values["secret_environment"] |= extra.pop("secret_environment", {})
    endpoint = AksEndpoint(name, AksEndpointArgs(**values, **extra), options)
    return Endpoint.of(endpoint, auth=service.auth_enabled)
