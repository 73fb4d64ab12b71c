"""Ports that two services want."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from mldeploy.manifest.draft import Draft
from mldeploy.manifest.errors import shown
from mldeploy.manifest.kinds import kind
from mldeploy.manifest.validation import Fault


def check(draft: Draft, root: Path) -> Iterator[Fault]:  # noqa: ARG001
    """All targets on this one machine share its ports; an edge target's services are on the same devices."""
    taken: dict[tuple[str, int], str] = {}
    for name, service in draft.services.items():
        type_ = draft.type_of(service)
        if service.port is None or type_ is None or kind(type_).ports == "none":
            continue
        place = service.target if kind(type_).ports == "target" else ""
        first = taken.setdefault((place, service.port), name)
        if first != name:
            yield Fault(
                ("services", name, "port"), f"{service.port} is the port of service {shown(first)} too"
            )
