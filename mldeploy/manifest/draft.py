"""What the rules look at: the entries that could be validated, and the names of all."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any, cast

from mldeploy.manifest.azure import Azure
from mldeploy.manifest.image import Image
from mldeploy.manifest.model import Model
from mldeploy.manifest.service import Service
from mldeploy.manifest.target import Target


@dataclass
class Draft:
    """A manifest that may have faults."""

    raw: dict[str, Any]
    """The merged manifest as plain values."""
    azure: Azure = field(default_factory=Azure.model_construct)
    models: dict[str, Model] = field(default_factory=dict[str, Model])
    images: dict[str, Image] = field(default_factory=dict[str, Image])
    targets: dict[str, Target] = field(default_factory=dict[str, Target])
    services: dict[str, Service] = field(default_factory=dict[str, Service])
    names: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list[str]))
    """All names of each section, also those of faulty entries."""
    target_types: dict[str, str] = field(default_factory=dict[str, str])
    """The type of each target, also of faulty ones."""
    left_out: dict[tuple[str, str], set[str]] = field(default_factory=dict[tuple[str, str], set[str]])
    """The faulty keys that an entry was validated without, by section and name."""

    def type_of(self, service: Service) -> str | None:
        """The type of a service's target; None when that is not known."""
        return self.target_types.get(service.target)

    def lacks(self, section: str, name: str, key: str) -> bool:
        """Whether ``key`` was given but faulty, so that nothing follows from its absence."""
        return key in self.left_out.get((section, name), ())

    def given(self, section: str, name: str) -> set[str]:
        """The keys that an entry was written with."""
        entries = self.raw.get(section)
        entry: Any = cast("dict[str, Any]", entries).get(name) if isinstance(entries, dict) else None
        return set(cast("dict[str, Any]", entry)) if isinstance(entry, dict) else set()

    def services_on(self, target: str) -> dict[str, Service]:
        """The services on a target, by name."""
        return {name: one for name, one in self.services.items() if one.target == target}
