"""The description of a type of target."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from mldeploy.manifest.draft import Draft
from mldeploy.manifest.service import Service
from mldeploy.manifest.target import Target
from mldeploy.manifest.validation import Fault


@dataclass(frozen=True)
class NameRule:
    """Which names are allowed."""

    pattern: re.Pattern[str]
    allowed: str
    """The pattern in words."""


def name_rule(expression: str, allowed: str) -> NameRule:
    """A rule of a regular expression."""
    return NameRule(re.compile(expression), allowed)


@dataclass(frozen=True)
class Need:
    """Something that a machine which runs `up` must have."""

    what: Literal["package", "program", "login"]
    name: str
    """The distribution's, program's, or cloud's name."""
    fix: str
    """How to get it."""


def _nothing(*_: Any) -> Iterator[Fault]:
    return iter(())


@dataclass(frozen=True, kw_only=True)
class Kind:
    """What the rest of the project asks about a type of target."""

    model: type[Target]
    """The section of an entry under `targets:`."""
    traits: Mapping[str, tuple[str, str] | None]
    """What its services are (see :mod:`mldeploy.manifest.markers`); where only some targets have a trait, the
    target's key and value that give it."""
    foundation: Literal["always", "with location", "never"] = "never"
    """Whether a stack with such a target has a foundation on Azure: resource group, registry, workspace."""
    on_azure: bool = False
    """Whether its services run on Azure: some base images may run nowhere else."""
    ports: Literal["machine", "target", "none"] = "none"
    """Whose ports its services listen on: those of the machine, which all targets share, of the target, or none that
    somebody else could want too."""
    service_names: NameRule | None = None
    """Which names its services may have, where not all names of a manifest will do."""
    reserved: Mapping[str, str] = field(default_factory=dict[str, str])
    """Lowercase names that services must not have: what they already name."""
    check_target: Callable[[Draft, str, Any], Iterator[Fault]] = _nothing
    """The rules for a target: the draft, the target's name, the target."""
    check_service: Callable[[Draft, str, Service], Iterator[Fault]] = _nothing
    """The rules for a service on such a target: the draft, the service's name, the service. The target itself may be
    faulty, and then it is not among the draft's."""
    needs: tuple[Need, ...] = ()
    """What a machine must have to deploy to it."""
    v1: tuple[str, ...] = ()
    """The v1 classes that it takes over."""

    def has(self, trait: str, target: Target | None) -> bool:
        """Whether services on the target have a trait; None: on some target of this type."""
        if trait not in self.traits:
            return False
        condition = self.traits[trait]
        return condition is None or target is None or getattr(target, condition[0]) == condition[1]

    def condition(self, traits: tuple[str, ...]) -> str:
        """In words, which targets have one of the traits: `` (runtime: docker)``; empty for all of them."""
        found = [self.traits[one] for one in traits if one in self.traits]
        conditions = [one for one in found if one is not None]
        return f" ({': '.join(conditions[0])})" if conditions and len(conditions) == len(found) else ""
