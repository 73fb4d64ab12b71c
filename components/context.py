"""What the target modules share while one stack is composed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

import pulumi

from mldeploy.manifest import Manifest

T = TypeVar("T")


@dataclass(frozen=True)
class Endpoint:
    """What a deployed service answers to. Keys are secret Outputs, or absent when auth is off."""

    scoring_uri: pulumi.Input[str]
    swagger_uri: pulumi.Input[str]
    primary_key: pulumi.Output[str] | None = None
    secondary_key: pulumi.Output[str] | None = None


class Registered(Protocol):
    """What the stack's outputs need of a registered model, whatever registry it is in."""

    version: pulumi.Output[str]


@dataclass(frozen=True)
class Context:
    """The manifest and the components that several services share (each model and image exists once a registry)."""

    manifest: Manifest
    project: str
    stack: str
    registered: dict[str, Registered] = field(default_factory=dict[str, Registered])
    _shared: dict[tuple[str, ...], Any] = field(default_factory=dict[tuple[str, ...], Any])

    def shared(self, key: tuple[str, ...], make: Callable[[], T]) -> T:
        """The component under ``key``, made on first use."""
        if key not in self._shared:
            self._shared[key] = make()
        return self._shared[key]
