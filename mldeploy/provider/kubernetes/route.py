"""A service's route: an HTTPRoute whose weights share the traffic, and the Service that clients in the cluster use."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mldeploy.provider.framework import waiting
from mldeploy.provider.framework.declare import Declaration, In, Opt, field
from mldeploy.provider.framework.resource import Context
from mldeploy.provider.kubernetes.client import ClusterError
from mldeploy.provider.kubernetes.tree import items, number, text
from mldeploy.provider.kubernetes.versions import SERVICE_LABEL, VERSION_LABEL, Service

_LABELS = {"app.kubernetes.io/managed-by": "mldeploy"}
_PORT, _TLS_PORT = 80, 443
_ADDRESS_PAUSE = 5.0


class GatewayReference(Declaration):
    """A Gateway, or one of its listeners."""

    name: In[str] = field("Its name.")
    namespace: Opt[str] = field("Its namespace; default: the service's.", default=None)
    section: Opt[str] = field("One of its listeners; default: all.", default=None)


@dataclass(frozen=True, kw_only=True)
class Route:
    """What a route is, besides its weights."""

    service: Service
    gateway: GatewayReference | None = None
    """None: no route outside the cluster."""
    hostnames: tuple[str, ...] = ()
    service_type: str = "ClusterIP"
    service_annotations: Mapping[str, str] = dataclasses.field(default_factory=dict[str, str])
    timeout_seconds: int = 61
    tls: bool = False

    @property
    def path(self) -> str:
        """The path prefix that v1's AKS services had."""
        return f"/api/v1/service/{self.service.name}"

    # --- weights -------------------------------------------------------------------------------------------------

    def weights(self) -> dict[str, int]:
        """Who gets how much of the traffic now: percent by version, empty when nothing is routed."""
        if self.gateway is None:
            found = self.service.cluster.get("Service", self.service.namespace, self.service.name)
            version = text(found, "spec", "selector", VERSION_LABEL)
            return {version: 100} if version else {}
        route = self.service.cluster.get("HTTPRoute", self.service.namespace, self.service.name)
        return {} if route is None else _weights(route, f"{self.service.name}-")

    def apply(self, weights: Mapping[str, int]) -> None:
        """Share the traffic by ``weights`` (percent by version, together 100)."""
        if self.gateway is not None:
            self.service.cluster.apply("HTTPRoute", self._http_route(weights))
            if max(weights.values()) < 100:
                return
        self.service.cluster.apply("Service", self._stable_service(most(weights)))

    def _http_route(self, weights: Mapping[str, int]) -> dict[str, Any]:
        assert self.gateway is not None
        parent = {"name": self.gateway.name}
        if self.gateway.namespace:
            parent["namespace"] = self.gateway.namespace
        if self.gateway.section:
            parent["sectionName"] = self.gateway.section
        backends = [
            {"name": self.service.object_name(version), "port": _PORT, "weight": weight}
            for version, weight in sorted(weights.items())
            if weight > 0
        ]
        matches = [{"path": {"type": "PathPrefix", "value": self.path}}]
        if self.hostnames:
            # An own host name: the paths of v1's other targets answer there too.
            matches += [
                {"path": {"type": "Exact", "value": path}} for path in ("/score", "/swagger.json", "/")
            ]
        spec: dict[str, Any] = {
            "parentRefs": [parent],
            "rules": [
                {
                    "matches": matches,
                    "backendRefs": backends,
                    "timeouts": {"request": f"{self.timeout_seconds}s"},
                }
            ],
        }
        if self.hostnames:
            spec["hostnames"] = list(self.hostnames)
        return {"metadata": self._metadata({}), "spec": spec}

    def _stable_service(self, version: str) -> dict[str, Any]:
        # Without a gateway the pods speak TLS themselves, and clients come by https.
        secure = self.tls and self.gateway is None
        name, number = ("https", _TLS_PORT) if secure else ("http", _PORT)
        port = {"name": name, "port": number, "targetPort": "scoring", "protocol": "TCP"}
        return {
            "metadata": self._metadata(self.service_annotations),
            "spec": {
                "type": self.service_type,
                "selector": {SERVICE_LABEL: self.service.name, VERSION_LABEL: version},
                "ports": [port],
            },
        }

    def _metadata(self, annotations: Mapping[str, str]) -> dict[str, Any]:
        labels = {**_LABELS, "app.kubernetes.io/name": self.service.name, SERVICE_LABEL: self.service.name}
        return {
            "name": self.service.name,
            "namespace": self.service.namespace,
            "labels": labels,
            "annotations": dict(annotations),
        }

    def delete(self) -> None:
        """Remove the route and the stable Service."""
        kinds = ("HTTPRoute", "Service") if self.gateway is not None else ("Service",)
        for kind in kinds:
            self.service.cluster.delete(kind, self.service.namespace, self.service.name)

    # --- addresses -----------------------------------------------------------------------------------------------

    def base_uri(self) -> tuple[str, bool]:
        """(where clients reach the service, whether that is outside the cluster). No trailing slash.

        The address of a Gateway or load balancer may come later than its object: then it is the one inside the cluster.
        """
        scheme = "https" if self.tls else "http"
        own = scheme if self.gateway is None else "http"
        inside = f"{own}://{self.service.name}.{self.service.namespace}.svc.cluster.local"
        if self.hostnames:
            return f"{scheme}://{self.hostnames[0]}", True
        address = self._gateway_address() if self.gateway is not None else self._balancer_address()
        return (f"{scheme}://{address}", True) if address else (inside, False)

    def wait_for_address(self, ctx: Context, seconds: float) -> str:
        """:meth:`base_uri` once it is outside the cluster, or as it is when the time is up, which is said.

        A cloud gives the address of a gateway or a load balancer minutes after it made the object.
        """
        what = "gateway" if self.gateway is not None else "load balancer"
        expected, started = what == "gateway" or self.service_type == "LoadBalancer", waiting.now()
        while True:
            base, outside = self.base_uri()
            passed = waiting.now() - started
            if outside or not expected:
                return base
            if passed >= seconds:
                break
            limit = waiting.span(seconds)
            ctx.status(f"waiting for the address of the {what} ({waiting.span(passed)} of at most {limit})")
            waiting.pause(ctx, min(_ADDRESS_PAUSE, seconds - passed))
        text = f"service {self.service.name}: the {what} has no address yet"
        say = ctx.warn if seconds else ctx.info
        say(f"{text}: scoring_uri is the one inside the cluster until the next refresh")
        return base

    def _gateway_address(self) -> str | None:
        assert self.gateway is not None
        space = self.gateway.namespace or self.service.namespace
        try:
            gateway = self.service.cluster.get("Gateway", space, self.gateway.name)
        except ClusterError as error:
            if error.status == 403:  # a shared Gateway in a namespace that we may not read
                return None
            raise
        addresses = items(gateway, "status", "addresses")
        return str(addresses[0]["value"]) if addresses else None

    def _balancer_address(self) -> str | None:
        if self.service_type != "LoadBalancer":
            return None
        found = self.service.cluster.get("Service", self.service.namespace, self.service.name)
        ingress = items(found, "status", "loadBalancer", "ingress")
        return str(ingress[0].get("hostname") or ingress[0].get("ip")) if ingress else None


def most(weights: Mapping[str, int]) -> str:
    """The version with most of the traffic."""
    return max(weights, key=lambda name: weights[name])


def _weights(route: Mapping[str, Any], prefix: str) -> dict[str, int]:
    found: dict[str, int] = {}
    for rule in items(route, "spec", "rules"):
        for backend in items(rule, "backendRefs"):
            weight = number(backend, "weight", default=1)
            if weight:
                found[str(backend["name"]).removeprefix(prefix)] = weight
    total = sum(found.values())
    return {name: round(weight * 100 / total) for name, weight in found.items()} if total else {}
