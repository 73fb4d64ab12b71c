"""What the target modules share while one stack is composed."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any, Protocol, TypeVar, cast

import pulumi

from mldeploy.manifest import Manifest, Service
from mldeploy.targets import of

T = TypeVar("T")


@contextmanager
def complaints(where: str) -> Generator[None]:
    """Say where in the manifest a component's complaint is about.

    Raises:
        pulumi.RunError: in place of the component's ValueError.
    """
    try:
        yield
    except ValueError as error:
        raise pulumi.RunError(f"{where}: {error}") from None


class Answering(Protocol):
    """The outputs of a component that answers requests."""

    scoring_uri: pulumi.Output[str]
    swagger_uri: pulumi.Output[str]
    primary_key: pulumi.Output[str | None]
    secondary_key: pulumi.Output[str | None]


@dataclass(frozen=True)
class Endpoint:
    """What a deployed service answers to. Keys are secret Outputs, or absent when auth is off."""

    scoring_uri: pulumi.Input[str]
    swagger_uri: pulumi.Input[str]
    primary_key: pulumi.Output[str] | None = None
    secondary_key: pulumi.Output[str] | None = None

    @staticmethod
    def of(made: Answering, *, auth: bool) -> Endpoint:
        """The record of a component; without auth it has no keys."""
        keys = (made.primary_key, made.secondary_key) if auth else (None, None)
        primary, secondary = (cast("pulumi.Output[str] | None", key) for key in keys)
        return Endpoint(made.scoring_uri, made.swagger_uri, primary, secondary)


class Registered(Protocol):
    """What the stack's outputs need of a registered model, whatever registry it is in."""

    version: pulumi.Output[str]


class Graph(Protocol):
    """What the module of a type's graph holds. It may also hold ``require(name, target)``, which looks at what this
    machine needs before anything is registered, and raises :class:`pulumi.RunError`."""

    def deploy(
        self, context: Context, name: str, target: Any, services: Mapping[str, Service], /
    ) -> Mapping[str, Endpoint]:
        """Register the resources of a target and of its services; the endpoint of each service by its name."""
        ...

    def register_model(self, context: Context, name: str, /) -> Registered:
        """Register a model where such targets take theirs from."""
        ...


def graph(type_: str) -> Graph:
    """The graph of a type of target."""
    return cast("Graph", import_module(of(type_).graph))


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
