"""`AksEndpoint`: a service on a Kubernetes cluster, every version its own Deployment, moved to step by step."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pulumi
from pulumi_kubernetes.apps.v1 import Deployment
from pulumi_kubernetes.autoscaling.v2 import HorizontalPodAutoscaler
from pulumi_kubernetes.core.v1 import Secret, Service, ServiceAccount
from pulumi_kubernetes.networking.v1 import NetworkPolicy
from pulumi_kubernetes.policy.v1 import PodDisruptionBudget

from components.base import Component, ComponentArgs
from components.kubernetes import objects
from components.kubernetes.leaves import Factor, rendered
from components.kubernetes.objects import Scaling
from components.kubernetes.tls import Tls, tls_objects
from components.kubernetes.workload import Workload, version_of
from components.sdk.kubernetes import KubernetesGate, Rollout, Versions
from components.sdk.local import ServiceKeys
from components.service_keys import service_keys
from mldeploy.manifest.service import MAX_REQUEST_WAIT_TIME, SCORING_TIMEOUT_MS

_TIMEOUT_MARGIN_SECONDS = 1
_UPDATE_TIMEOUT = "6h"


@dataclass(frozen=True, kw_only=True)
class AksEndpointArgs(ComponentArgs):
    """Arguments of :class:`AksEndpoint`. Names and defaults are those of v1's AKS web service."""

    image: pulumi.Input[str]
    """The scoring image's reference by digest."""
    models: Mapping[str, pulumi.Input[str]]
    """Version by name of the models in the image."""
    kubeconfig: pulumi.Input[str]
    """The cluster, as a kubeconfig's YAML text with one context."""
    namespace: str
    """The namespace; it exists, or is created before this component."""
    workload: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """The pods' settings, by their names in `components.kubernetes.workload.Workload`."""
    scaling: Scaling = field(default_factory=Scaling)
    """How many pods."""
    primary_key: pulumi.Input[str] | None = None
    """Your own primary key. Default: a generated one."""
    secondary_key: pulumi.Input[str] | None = None
    """Your own secondary key. Default: a generated one."""
    key_generation: tuple[int, int] = (1, 1)
    """Generation of the primary and the secondary key; raising one rotates that key, without a restart."""
    secret_environment: Mapping[str, pulumi.Input[str]] = field(default_factory=dict[str, pulumi.Input[str]])
    """Secret environment variables of the entry script and of telemetry."""
    facts: Mapping[str, str] = field(default_factory=dict[str, str])
    """Annotations of the Deployment: description, tags, properties."""
    identity_client_id: pulumi.Input[str] | None = None
    """The managed identity that the service account federates to (Azure workload identity)."""
    collect_destination: pulumi.Input[str] | None = None
    """Where collected data goes, when the settings' `collect_model_data` does not say."""
    golden: Sequence[Mapping[str, Any]] = ()
    """Requests that a new version must answer before traffic moves to it."""
    rollout: Mapping[str, Any] = field(default_factory=lambda: {"strategy": "blue_green"})
    """`strategy`, `steps`, `bake_seconds`, `max_error_rate`, `max_latency_ratio`, `keep_previous`, `promote`."""
    route: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """`gateway`, `hostnames`, `service_type`, `service_annotations` of the route."""
    callers: Sequence[str] = ()
    """Namespaces whose pods may call the service. Default: all of the cluster."""
    egress: Sequence[Mapping[str, Any]] = ()
    """Whom its pods may speak with besides DNS and port 443: `to` (addresses) or `namespace`, `ports`, `protocol`."""
    tls: Tls | None = None
    """The certificate that clients see. Default: no TLS."""


class AksEndpoint(Component):
    """A service on a cluster. A new version starts beside the old one, answers its golden requests, then gets traffic.

    The objects of a version are left in the cluster when another version replaces them in the state: the rollout
    removes them once nothing is routed to them. So a failed update leaves what serves as it is, and going back to a
    version that is still there changes nothing but the route.
    """

    group = "service"

    scoring_uri: pulumi.Output[str]
    swagger_uri: pulumi.Output[str]
    primary_key: pulumi.Output[str | None]
    secondary_key: pulumi.Output[str | None]
    version: pulumi.Output[str]
    serving: pulumi.Output[str]
    weights: pulumi.Output[dict[str, int]]
    kept: pulumi.Output[list[str]]

    def __init__(self, name: str, args: AksEndpointArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, opts, args.customize)
        self._name, self._args = name, args
        self._service = objects.object_name(name)
        auth = bool(args.workload.get("auth_enabled", True))
        keys = service_keys(self, name, args, auth=auth)
        fixed = self._fixed_objects(keys)
        where: dict[str, Any] = {
            "kubeconfig": args.kubeconfig,
            "namespace": args.namespace,
            "service": self._service,
        }
        sweep = Versions(f"{name}-versions", **where, opts=self.child())
        versioned = self._versioned_objects([*fixed, sweep])
        version = pulumi.Output.from_input(self._rendered(version_of))
        common: dict[str, Any] = {
            **where,
            "version": version,
            "replicas": args.scaling.floor,
            "tls": self._pods_speak_tls,
            "key": keys.primary if keys else None,
        }
        gate = KubernetesGate(
            f"{name}-gate",
            **common,
            max_latency_ratio=args.rollout.get("max_latency_ratio"),
            promote=args.rollout.get("promote"),
            golden=[dict(request) for request in args.golden],
            opts=self.child(depends_on=versioned),
        )
        rollout = Rollout(
            f"{name}-rollout",
            **common,
            **self._route(),
            **args.rollout,
            opts=self.child(
                depends_on=[gate, *versioned, *fixed],
                custom_timeouts=pulumi.CustomTimeouts(update=_UPDATE_TIMEOUT),
            ),
        )
        self.publish(
            {
                "scoring_uri": rollout.scoring_uri,
                "swagger_uri": rollout.swagger_uri,
                "primary_key": keys.primary if keys else None,
                "secondary_key": keys.secondary if keys else None,
                "version": version,
                "serving": rollout.serving,
                "weights": rollout.weights,
                "kept": rollout.kept,
            }
        )

    @property
    def _pods_speak_tls(self) -> bool:
        """With a gateway, TLS ends there; without one the pods do it themselves."""
        return self._args.tls is not None and not self._args.route.get("gateway")

    def _factors(self) -> dict[str, Factor]:
        """What the cloud may decide later: the image's digest, the models' versions, where collected data goes."""
        args = self._args
        versions = {name: Factor(value=version, one="1", other="2") for name, version in args.models.items()}
        found = {f"models.{name}": factor for name, factor in versions.items()}
        found["image"] = Factor(value=args.image, one="image@sha256:1", other="image@sha256:2")
        if args.collect_destination is not None and args.workload.get("collect_model_data"):
            found["destination"] = Factor(
                value=args.collect_destination, one="https://one", other="https://two"
            )
        return found

    def _workload(self, known: Mapping[str, Any]) -> Workload:
        args = self._args
        settings: dict[str, Any] = {
            **args.workload,
            "service": self._service,
            "namespace": args.namespace,
            "tls": self._pods_speak_tls,
            "autoscaled": args.scaling.enabled,
            "workload_identity": args.identity_client_id is not None,
            "secret_environment": {key: key for key in args.secret_environment},
        }
        if known.get("destination"):
            collect = {"destination": known["destination"], **args.workload["collect_model_data"]}
            settings["collect_model_data"] = collect
        models = {name: str(known[f"models.{name}"]) for name in args.models}
        return Workload(image=str(known["image"]), models=models, **settings)

    def _account(self, frame: Workload) -> ServiceAccount:
        made = objects.service_account(frame)
        metadata: Any = made["metadata"]
        client = self._args.identity_client_id
        if client is not None:
            metadata["annotations"] = {**metadata["annotations"], "azure.workload.identity/client-id": client}
        return ServiceAccount(
            f"{self._name}-account",
            metadata=metadata,
            automount_service_account_token=made["automountServiceAccountToken"],
            opts=self.child(),
        )

    def _fixed_objects(self, keys: ServiceKeys | None) -> list[pulumi.Resource]:
        """What all versions share. Only names and the namespace of the workload matter here."""
        args, name = self._args, self._name
        own = {key: args.workload[key] for key in ("service_account",) if key in args.workload}
        frame = Workload(service=self._service, namespace=args.namespace, image="", **own)
        found: list[pulumi.Resource] = []
        if not frame.service_account:
            found.append(self._account(frame))
        policy = objects.network_policy(frame, args.callers, args.egress)
        found.append(NetworkPolicy(f"{name}-network", **policy, opts=self.child()))
        if keys is not None:
            text = pulumi.Output.all(keys.primary, keys.secondary).apply(
                lambda pair: objects.keys_file(*pair)
            )
            found.append(self._secret("keys", {"keys.json": pulumi.Output.secret(text)}))
        if args.secret_environment:
            found.append(self._secret("environment", dict(args.secret_environment)))
        found += tls_objects(name, self._service, args.namespace, args.tls, self.child())
        return found

    def _secret(self, role: str, data: Mapping[str, pulumi.Input[str]]) -> Secret:
        made = objects.secret(self._service, self._args.namespace, role)
        return Secret(
            f"{self._name}-{role}-secret",
            metadata=made["metadata"],
            type=made["type"],
            string_data=pulumi.Output.secret(dict(data)),
            opts=self.child(),
        )

    def _versioned_objects(self, before: Sequence[pulumi.Resource]) -> list[pulumi.Resource]:
        name, scaling, facts = self._name, self._args.scaling, self._args.facts
        # Kept on purpose: see the class's docstring. The rollout deletes them, and the service's removal.
        options = self.child(retain_on_delete=True, depends_on=list(before))
        found: list[pulumi.Resource] = [
            Deployment(
                f"{name}-deployment",
                **self._rendered(lambda known: objects.deployment(known, scaling, facts)),
                opts=options,
            ),
            Service(f"{name}-service", **self._rendered(objects.version_service), opts=options),
            PodDisruptionBudget(f"{name}-budget", **self._rendered(objects.disruption_budget), opts=options),
        ]
        if scaling.enabled:
            found.append(
                HorizontalPodAutoscaler(
                    f"{name}-autoscaler",
                    **self._rendered(lambda known: objects.autoscaler(known, scaling)),
                    opts=options,
                )
            )
        return found

    def _rendered(self, render: Callable[[Workload], Any]) -> Any:
        """What a function makes of the workload; what the cloud decides later is unknown, and nothing else."""
        return rendered(lambda known: render(self._workload(known)), self._factors())

    def _route(self) -> dict[str, Any]:
        args = self._args
        milliseconds = int(args.workload.get("scoring_timeout_ms", SCORING_TIMEOUT_MS))
        milliseconds += int(args.workload.get("max_request_wait_time", MAX_REQUEST_WAIT_TIME))
        return {
            **args.route,
            "public_tls": args.tls is not None,
            "autoscaled": args.scaling.enabled,
            "timeout_seconds": math.ceil(milliseconds / 1000) + _TIMEOUT_MARGIN_SECONDS,
        }
