"""`EdgeHub`: an IoT hub of the stack's own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

import pulumi

from components.base import Component, ComponentArgs

# Of the policies that every hub has, the one that may read and write deployments and nothing else.
_POLICY = "registryReadWrite"


@dataclass(frozen=True, kw_only=True)
class EdgeHubArgs(ComponentArgs):
    """Arguments of :class:`EdgeHub`."""

    hub_name: pulumi.Input[str]
    """The hub's name, global on Azure: 3-50 letters, digits and inner hyphens."""
    resource_group: pulumi.Input[str]
    """The resource group's name."""
    location: pulumi.Input[str]
    """The Azure region, `westeurope`."""
    sku: str = "S1"
    """`F1`, `S1`, `S2` or `S3`; the basic tiers have no IoT Edge."""
    units: int = 1
    """How many units; one is the most of `F1`."""
    tags: Mapping[str, pulumi.Input[str]] = field(default_factory=dict[str, pulumi.Input[str]])
    """Tags of the hub."""


class EdgeHub(Component):
    """An IoT hub for IoT Edge devices, with TLS 1.2 at least. Devices are registered with it by whoever runs
    them; the stack knows its deployments only.
    """

    group: ClassVar[str] = "edge"

    host_name: pulumi.Output[str]
    connection_string: pulumi.Output[str]

    def __init__(self, name: str, args: EdgeHubArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        validate(name, args)
        super().__init__(name, opts, args.customize)
        # Importing it takes a while: only who creates a hub pays.
        from pulumi_azure_native import iothub

        hub = iothub.IotHubResource(
            f"{name}-hub",
            resource_group_name=args.resource_group,
            resource_name_=args.hub_name,
            location=args.location,
            sku=iothub.IotHubSkuInfoArgs(name=args.sku, capacity=args.units),
            properties=iothub.IotHubPropertiesArgs(min_tls_version="1.2"),
            tags=dict(args.tags),
            opts=self.child(),
        )
        keys = iothub.list_iot_hub_resource_keys_for_key_name_output(
            resource_group_name=args.resource_group,
            resource_name=hub.name,
            key_name=_POLICY,
            opts=pulumi.InvokeOutputOptions(parent=self),
        )
        # A preview knows the properties without what Azure computes: the id makes it wait for the creation,
        # and the
        # hub's own host name, which other clouds end differently, wins as soon as it is there.
        found = hub.properties.apply(lambda properties: properties.host_name or "")
        host = pulumi.Output.all(hub.id, args.hub_name, found).apply(
            lambda known: str(known[2] or f"{known[1]}.azure-devices.net")
        )
        connection = pulumi.Output.concat(
            "HostName=", host, f";SharedAccessKeyName={_POLICY};SharedAccessKey=", keys.primary_key
        )
        self.publish({"host_name": host, "connection_string": pulumi.Output.secret(connection)})


def validate(name: str, args: EdgeHubArgs) -> None:
    """Everything that can be known before the first resource.

    Raises:
        ValueError: what is wrong, and what is allowed.
    """
    if args.sku not in ("F1", "S1", "S2", "S3"):
        raise ValueError(
            f"hub {name!r}: sku {args.sku!r}; allowed: F1, S1, S2, S3 (B1 to B3 have no IoT Edge)"
        )
    most = {"F1": 1, "S3": 10}.get(args.sku, 200)
    if not 1 <= args.units <= most:
        raise ValueError(f"hub {name!r}: units is {args.units}; allowed for {args.sku}: 1 to {most}")
