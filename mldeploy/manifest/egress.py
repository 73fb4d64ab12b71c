"""Whom a service on a cluster may speak with, besides DNS and port 443."""

from __future__ import annotations

import ipaddress
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, model_validator

from mldeploy.manifest.base import Items, Namespace, Port, Section, Text, fail
from mldeploy.manifest.errors import shown


def _range(text: str) -> str:
    try:
        return str(ipaddress.ip_network(text))
    except ValueError as error:
        raise fail(
            f"{shown(text)} is no range of addresses such as 10.1.0.0/16 or 10.1.2.3/32: {error}"
        ) from None


class Egress(Section):
    """One rule of a network policy: whom the service's pods may open connections to."""

    to: Annotated[Text, AfterValidator(_range)] | None = None
    """A range of addresses, `10.1.0.0/16`. Default: all. A network policy knows no host names."""
    namespace: Namespace | None = None
    """All pods of a namespace of the cluster, instead of addresses."""
    ports: Items[Port] = ()
    """Their ports. Default: all."""
    protocol: Literal["TCP", "UDP"] = "TCP"
    """The protocol of `ports`."""

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if self.to is not None and self.namespace is not None:
            raise fail("has both to and namespace; remove one")
        if self.to is None and self.namespace is None and not self.ports:
            raise fail("names nobody; give to, namespace or ports")
        if self.protocol != "TCP" and not self.ports:
            raise fail("protocol has no effect without ports")
        return self
