"""The keys of a service, made in one way on every target whose services have some."""

from __future__ import annotations

from typing import Protocol

import pulumi

from components.base import Component
from components.sdk.local import ServiceKeys


class KeyArguments(Protocol):
    """What the arguments of an endpoint say of its keys."""

    @property
    def primary_key(self) -> pulumi.Input[str] | None: ...

    @property
    def secondary_key(self) -> pulumi.Input[str] | None: ...

    @property
    def key_generation(self) -> tuple[int, int]: ...


def service_keys(owner: Component, name: str, args: KeyArguments, *, auth: bool) -> ServiceKeys | None:
    """Given keys or generated ones; None without auth."""
    if not auth:
        return None
    primary, secondary = args.key_generation
    return ServiceKeys(
        f"{name}-keys",
        primary=args.primary_key,
        secondary=args.secondary_key,
        generation_primary=primary,
        generation_secondary=secondary,
        opts=owner.child(),
    )
