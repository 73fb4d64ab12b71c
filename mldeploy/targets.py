"""The registry of target types: one line a type. Everything that depends on a target's type asks here.

Only names of modules stand here, so that asking costs nothing: a part is imported when somebody uses it. What each part
holds is said where it is used: :mod:`mldeploy.manifest.kinds`, :mod:`components.context`, :mod:`mldeploy.operations`.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass


@dataclass(frozen=True)
class TargetType:
    """One type of target, and the modules with its parts."""

    name: str
    """What `type:` says in the manifest."""
    kind: str
    """Its part of a manifest: ``KIND``, a :class:`mldeploy.manifest.kinds.Kind`."""
    graph: str
    """Its resources: ``deploy()`` and ``register_model()``, see :class:`components.context.Graph`."""
    operations: str
    """What can be done with its deployed services: ``handles()``, see :class:`mldeploy.operations.stack.Operations`."""
    page: str
    """Its page of the documentation, relative to the project's root."""


def _ours(name: str) -> TargetType:
    """A type whose parts have its name in every layer."""
    return TargetType(
        name,
        f"mldeploy.manifest.kinds.{name}",
        f"components.targets.{name}.graph",
        f"mldeploy.operations.{name}",
        f"docs/targets/{name}.md",
    )


_TYPES = [
    _ours("local"),
    _ours("aci"),
    _ours("aks"),
    _ours("kubernetes"),
    _ours("batch"),
    _ours("edge"),
]


def all_types() -> list[TargetType]:
    """Every type, in the order that messages and pages name them."""
    return list(_TYPES)


def names() -> list[str]:
    """What `type:` may say."""
    return [one.name for one in _TYPES]


def of(name: str) -> TargetType:
    """The type called ``name``.

    Raises:
        KeyError: there is none.
    """
    for one in _TYPES:
        if one.name == name:
            return one
    raise KeyError(f"{name} is no type of target; allowed: {', '.join(names())}")


@contextmanager
def registered(one: TargetType) -> Generator[TargetType]:
    """Another type, for as long as the context lasts: how a program of somebody else's brings its own.

    Raises:
        ValueError: there is a type of that name.
    """
    if one.name in names():
        raise ValueError(f"there is a type of target {one.name} already")
    _TYPES.append(one)
    try:
        yield one
    finally:
        _TYPES.remove(one)
