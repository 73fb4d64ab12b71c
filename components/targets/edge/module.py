"""`EdgeModule`: scoring images as modules on IoT Edge devices, through one automatic deployment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

import pulumi

from components.base import Component, ComponentArgs
from components.sdk.edge import EdgeDeployment
from mldeploy.edge import ScoringOptions, create_options
from mldeploy.edge.model import runtime_modules
from mldeploy.edge.options import environment


@dataclass(frozen=True, kw_only=True)
class ScoringModule:
    """One scoring image as a module."""

    image: pulumi.Input[str]
    """The image by digest, `registry/repository@sha256:…`."""
    options: ScoringOptions = field(default_factory=ScoringOptions)
    """Limits, port, and the files of the device that it uses."""
    env: Mapping[str, pulumi.Input[str]] = field(default_factory=dict[str, pulumi.Input[str]])
    """More environment variables; everybody who can read the hub's twins can read them."""
    restart_policy: str = "always"
    """`always` or `never`; the IoT Edge runtime implements no other."""
    status: str = "running"
    """`running` or `stopped`."""
    startup_order: int | None = None
    """Smaller starts earlier. Default: last."""
    image_pull_policy: str = "on-create"
    """`on-create` or `never`."""
    desired: Mapping[str, Any] | None = None
    """Desired properties of the module's twin."""


@dataclass(frozen=True, kw_only=True)
class EdgeModuleArgs(ComponentArgs):
    """Arguments of :class:`EdgeModule`."""

    deployment_name: str
    """What the deployment's id begins with, the same for ever: lowercase letters, digits, hyphens."""
    hub: pulumi.Input[str]
    """The hub's host name, `my-hub.azure-devices.net`."""
    modules: Mapping[str, ScoringModule]
    """The modules by name: one deployment brings all of them, and a device has them all or none."""
    target_condition: str
    """Which devices: `tags.site='plant-7'`, `*` for all."""
    connection_string: pulumi.Input[str] | None = None
    """Of the hub, with registry read and write. Default: Microsoft Entra ID."""
    priority: int = 0
    """The highest one of matching deployments wins; the next number is used too."""
    labels: Mapping[str, str] = field(default_factory=dict[str, str])
    """Labels of the deployment."""
    metrics: Mapping[str, str] = field(default_factory=dict[str, str])
    """Metrics of your own: twin queries by name."""
    layered: bool = False
    """Whether it only adds modules to the complete deployment that devices have."""
    runtime_version: str | None = None
    """The version of edgeAgent and edgeHub, `1.5` or `1.6`. Default: the newest long-term-supported one."""
    routes: Mapping[str, Mapping[str, Any]] = field(default_factory=dict[str, Mapping[str, Any]])
    """Routes of the IoT Edge hub: `{route, priority?, time_to_live_secs?}` by name."""
    registry_credentials: Mapping[str, Mapping[str, pulumi.Input[str]]] = field(
        default_factory=dict[str, Mapping[str, pulumi.Input[str]]]
    )
    """How devices log in to registries: `{address, username, password}` by name."""
    store_and_forward_secs: int | None = None
    """How long messages wait for a connection, in seconds; -1: for ever. Default: 7200."""
    wait: Mapping[str, Any] | None = None
    """Waits for devices: `{reported?, failed?, timeout?, rollback?}` in percent, percent, seconds, boolean.
    """


class EdgeModule(Component):
    """Modules on devices. New content becomes a new deployment that takes over at once; the old one is
    removed after, so that no device is ever without one. The models are inside the images: a device that is
    offline starts them too.
    """

    group: ClassVar[str] = "edge"

    deployment_id: pulumi.Output[str]
    hub: pulumi.Output[str]

    def __init__(self, name: str, args: EdgeModuleArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        validate(name, args)
        super().__init__(name, opts, args.customize)
        agent: dict[str, Any] | None = None
        hub: dict[str, Any] | None = None
        if args.runtime_version is not None and not args.layered:
            agent, hub = (
                module.model_dump(exclude_none=True, exclude_defaults=True)
                for module in runtime_modules(args.runtime_version)
            )
        deployment = EdgeDeployment(
            f"{name}-deployment",
            name=args.deployment_name,
            hub=args.hub,
            connection_string=args.connection_string,
            target_condition=args.target_condition,
            priority=args.priority,
            labels=args.labels or None,
            metrics=args.metrics or None,
            modules={key: _module(module) for key, module in sorted(args.modules.items())},
            routes=args.routes or None,
            layered=args.layered or None,
            edge_agent=agent,
            edge_hub=hub,
            registry_credentials=args.registry_credentials or None,
            store_and_forward_secs=args.store_and_forward_secs,
            wait=args.wait,
            opts=self.child(),
        )
        self.publish({"deployment_id": deployment.deployment_id, "hub": args.hub})


def _module(module: ScoringModule) -> dict[str, Any]:
    made: dict[str, Any] = {
        "image": module.image,
        "create_options": create_options(module.options),
        "env": {**module.env, **environment(module.options)},
        "status": module.status,
        "restart_policy": module.restart_policy,
        "image_pull_policy": module.image_pull_policy,
    }
    if module.startup_order is not None:
        made["startup_order"] = module.startup_order
    if module.desired:
        made["desired"] = dict(module.desired)
    return made


def validate(name: str, args: EdgeModuleArgs) -> None:
    """Everything that can be known before the first resource; the provider checks the whole deployment.

    Raises:
        ValueError: what is wrong, and what is allowed.
    """
    if not args.modules:
        raise ValueError(f"{name}: a deployment has at least one module")
    for key, module in args.modules.items():
        if module.restart_policy not in ("always", "never"):
            raise ValueError(
                f"{name}: module {key!r}: restart_policy {module.restart_policy!r} is not implemented "
                "by the IoT Edge runtime; allowed: always, never"
            )
        try:
            create_options(module.options)
        except ValueError as error:
            raise ValueError(f"{name}: module {key!r}: {error}") from None
    ports: dict[int, str] = {}
    for key, module in args.modules.items():
        port = module.options.port
        if port is None:
            continue
        if port in ports:
            raise ValueError(
                f"{name}: modules {ports[port]!r} and {key!r} both want port {port} of the device"
            )
        ports[port] = key
