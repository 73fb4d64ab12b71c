"""`ServingNamespace`: where a target's services live on a cluster: namespace, quota, and a gateway of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pulumi
from pulumi_kubernetes.apiextensions import CustomResource
from pulumi_kubernetes.core.v1 import Namespace, ResourceQuota

from components.base import Component, ComponentArgs
from components.kubernetes import objects
from components.kubernetes.objects import TlsListener


@dataclass(frozen=True, kw_only=True)
class ServingNamespaceArgs(ComponentArgs):
    """Arguments of :class:`ServingNamespace`."""

    namespace: str
    """The namespace's name."""
    create: bool = True
    """Whether it is made here; `default` and the like exist."""
    keep: bool = False
    """Whether it outlives the stack: others may have objects in it."""
    quota: Mapping[str, str] = field(default_factory=dict[str, str])
    """A ResourceQuota's `hard`, empty for none."""
    gateway_name: str | None = None
    """The name of a Gateway to make here."""
    gateway_class: str | None = None
    """Its GatewayClass."""
    listeners: Sequence[TlsListener] = ()
    """Its HTTPS listeners."""
    gateway_annotations: Mapping[str, str] = field(default_factory=dict[str, str])
    """Annotations of the Gateway's load balancer."""
    delete_timeout: str = "5m"
    """How long its removal waits for what is in it; then it fails with what holds it (finalizers)."""


class ServingNamespace(Component):
    """A namespace that enforces Pod Security `restricted`, with an optional quota and an optional Gateway."""

    group = "service"

    name: pulumi.Output[str]

    def __init__(
        self, name: str, args: ServingNamespaceArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__(name, opts, args.customize)
        made: list[pulumi.Resource] = []
        if args.create:
            metadata = objects.namespace(args.namespace)["metadata"]
            timeouts = pulumi.CustomTimeouts(delete=args.delete_timeout)
            options = self.child(retain_on_delete=args.keep, custom_timeouts=timeouts)
            made.append(Namespace(f"{name}-namespace", metadata=metadata, opts=options))
        after = self.child(depends_on=made)
        if args.quota:
            quota = objects.resource_quota("mldeploy", args.namespace, args.quota)
            made.append(ResourceQuota(f"{name}-quota", **quota, opts=after))
        if args.gateway_name and args.gateway_class:
            gateway = objects.gateway(
                args.gateway_name,
                args.namespace,
                args.gateway_class,
                args.listeners,
                annotations=args.gateway_annotations,
            )
            kind, api = "Gateway", "gateway.networking.k8s.io/v1"
            made.append(CustomResource(f"{name}-gateway", api_version=api, kind=kind, **gateway, opts=after))
        urns = pulumi.Output.all(*[item.urn for item in made])
        self.publish({"name": urns.apply(lambda _urns: args.namespace)})
