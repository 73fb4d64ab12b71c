"""What the stand-in's parts share: its time, who may do what, who is busy, and what lies in the data planes."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.azure.standin import rights
from tests.azure.standin.nature import Nature
from tests.azure.standin.store import Store

DEPLOYER = "33333333-3333-4333-8333-333333333333"
"""Who is logged in where `up` runs."""


class BusyError(Exception):
    """Somebody else's operation is under way."""


@dataclass
class World:
    """One subscription, and the rest of the world as far as it gets in the way."""

    folder: Path
    nature: Nature = field(default_factory=Nature)
    deployer: str = DEPLOYER
    people: dict[str, dict[str, str]] = field(default_factory=dict[str, dict[str, str]])
    """Control-plane roles (scope to role's id) by principal. Default: the deployer owns the subscription."""
    others: set[tuple[str, str]] = field(default_factory=set[tuple[str, str]])
    """Names that other customers have: (ARM type, name in small letters)."""
    free: bool = False
    """Whether the subscription is one on free credit."""
    unregistered: set[str] = field(default_factory=set[str])
    """Namespaces of resource providers that the subscription has not registered, in small letters."""
    quotas: dict[tuple[str, str], tuple[int, int]] = field(
        default_factory=dict[tuple[str, str], tuple[int, int]]
    )
    """Used and allowed by (namespace in small letters, name in small letters); what is not here is plenty."""
    images: dict[tuple[str, str, str], str] = field(default_factory=dict[tuple[str, str, str], str])
    """What registries have: digest by (server, repository, tag or digest)."""
    runs: dict[str, dict[str, Any]] = field(default_factory=dict[str, dict[str, Any]])
    """Runs of registry tasks by their id."""
    build_fails: dict[str, str] = field(default_factory=dict[str, str])
    """Log of a build that is to fail, by repository; taken once."""
    crashing: dict[str, str] = field(default_factory=dict[str, str])
    """Log of a container group's container that ends right after its start, by group's name."""
    secrets: dict[tuple[str, str], str] = field(default_factory=dict[tuple[str, str], str])
    """Values of key vaults by (vault, name)."""

    def __post_init__(self) -> None:
        self.store = Store(self.folder)
        self._busy: dict[str, str] = {}
        self._lock = threading.Lock()

    @property
    def behaves(self) -> bool:
        """Whether effects take time."""
        return self.nature.seed is not None or bool(self.nature.scale)

    def now(self) -> float:
        """Seconds on the world's clock."""
        return self.nature.clock.now()

    def sleep(self, seconds: float) -> None:
        """Wait on the world's clock."""
        self.nature.clock.sleep(seconds)

    def may(self, principal: str, action: str, scope: str, path: str = "") -> bool:
        """Whether somebody has a right to data by now. Owners and contributors of a registry may pull and push."""
        if action.startswith("registry.") and self.may_manage(principal, "", scope, "PUT"):
            return True
        return rights.may(self.store, principal, action, scope, self.now(), path)

    def may_manage(self, principal: str, arm: str, scope: str, method: str) -> bool:
        """Whether somebody may ask this of Resource Manager."""
        return rights.may_manage(self.held(principal), arm, scope, method)

    def held(self, principal: str) -> list[tuple[str, str]]:
        """The control-plane roles of somebody by now, as (scope, role's id): given beforehand, or by an assignment."""
        given = self.people.get(principal)
        if given is None:
            given = {"/subscriptions": rights.OWNER} if principal == self.deployer else {}
        return [*given.items(), *rights.control_roles(self.store, principal, self.now())]

    @contextmanager
    def alone(self, resource: str, what: str) -> Iterator[None]:
        """One operation on a resource at a time.

        Raises:
            BusyError: another one is under way; the message says which.
        """
        key = resource.lower()
        with self._lock:
            if key and key in self._busy:
                raise BusyError(self._busy[key])
            self._busy[key] = what
        try:
            yield
        finally:
            with self._lock:
                self._busy.pop(key, None)
