"""What a type of target is to a manifest: its model, rules, names, and needs. One module a type, with its ``KIND``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import Any, TypeVar

from mldeploy import targets
from mldeploy.manifest.base import Section
from mldeploy.manifest.kinds.kind import Kind, NameRule, Need
from mldeploy.manifest.markers import On, marker
from mldeploy.manifest.target import Target

__all__ = ["Kind", "NameRule", "Need", "applies", "kind", "kinds", "names_of", "resolve"]
S = TypeVar("S", bound=Section)


def kind(name: str) -> Kind:
    """The manifest's part of a type of target."""
    found = import_module(targets.of(name).kind).KIND
    if not isinstance(found, Kind):
        raise TypeError(f"{targets.of(name).kind}.KIND is no Kind")
    return found


def kinds() -> dict[str, Kind]:
    """All of them by name."""
    return {name: kind(name) for name in targets.names()}


def applies(on: On, name: str, target: Target | None) -> bool:
    """Whether a key means something on a target of this type; None: on some target of it."""
    own = kind(name)
    return not on.where or any(one == name or own.has(one, target) for one in on.where)


def names_of(where: tuple[str, ...]) -> list[str]:
    """Types and traits in words: ``aks``, ``local (runtime: docker)``."""
    return [
        f"{name}{'' if name in where else own.condition(where)}"
        for name, own in kinds().items()
        if name in where or any(own.has(one, None) for one in where)
    ]


def resolve(section: S, name: str) -> S:
    """``section`` with every default filled in that the target's type decides, also in what is below it."""
    own, found = kind(name), dict[str, Any]()
    values = {key: getattr(section, key) for key in type(section).model_fields}
    for key, field in type(section).model_fields.items():
        value = values[key]
        if key not in section.model_fields_set:
            value = _default(marker(field), own, name, values, value)
        if isinstance(value, Section):
            value = resolve(value, name)
        if value is not values[key]:
            found[key] = values[key] = value
    return section.model_copy(update=found) if found else section


def _default(on: On | None, own: Kind, name: str, values: Mapping[str, Any], otherwise: Any) -> Any:
    for where, default in on.default.items() if on else ():
        if where == name or own.has(where, None):
            return default(values) if callable(default) else default
    return otherwise


def needs() -> Iterator[Need]:
    """What some type needs, each once."""
    yield from dict.fromkeys(need for one in kinds().values() for need in one.needs)
