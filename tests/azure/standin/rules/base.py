"""The register of service rules."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from mldeploy.values.property_value import Unknown, reveal
from tests.azure.standin.tokens import pick

Fault = tuple[str, str]


@dataclass(frozen=True)
class Request:
    """A request as the rules see it: no secret wrappers; unknown values are left out by :meth:`one`."""

    arm: str
    name: str
    body: dict[str, Any]
    raw: dict[str, Any]
    """The body with its secret wrappers."""
    ident: str | None

    def one(self, path: str, default: Any = None) -> Any:
        """The value at ``path``, or ``default`` when it is missing or not yet known."""
        found = pick(self.body, path)
        return default if not found or found[0] is None or isinstance(found[0], Unknown) else found[0]

    def every(self, path: str) -> list[Any]:
        """All known values at ``path``."""
        return [
            value for value in pick(self.body, path) if value is not None and not isinstance(value, Unknown)
        ]

    def has(self, path: str) -> bool:
        """Whether something is given at ``path``, known or not."""
        return any(value is not None for value in pick(self.body, path))


@dataclass(frozen=True)
class Rule:
    """One rule of one service."""

    arm: str
    source: str
    find: Callable[[Request], Iterable[Fault]]


RULES: list[Rule] = []


def rule(arm: str, source: str) -> Callable[[Callable[[Request], Iterable[Fault]]], Callable[..., Any]]:
    """Register a rule for an ARM type. ``source`` is the page that says so."""

    def register(find: Callable[[Request], Iterable[Fault]]) -> Callable[..., Any]:
        RULES.append(Rule(arm, source, find))
        return find

    return register


def check(arm: str, name: Any, raw: dict[str, Any], ident: str | None) -> list[Fault]:
    """Every fault that the rules find in a body."""
    text = reveal(name)
    request = Request(arm, text if isinstance(text, str) else "", reveal(raw), raw, ident)
    return [fault for entry in RULES if entry.arm in (arm, "*") for fault in _guarded(entry, request)]


def _guarded(entry: Rule, request: Request) -> list[Fault]:
    try:
        return list(entry.find(request))
    except (TypeError, AttributeError, ValueError):
        # A value of a wrong type, which the type check reports.
        return []
