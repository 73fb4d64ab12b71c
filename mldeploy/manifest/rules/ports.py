"""Ports that two services want."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from mldeploy.manifest.errors import shown
from mldeploy.manifest.rules.draft import Draft
from mldeploy.manifest.validation import Fault


def check(draft: Draft, root: Path) -> Iterator[Fault]:  # noqa: ARG001
    """All local targets are this one machine; an edge target's services are on the same devices."""
    taken: dict[tuple[str, int], str] = {}
    for name, service in draft.services.items():
        kind = draft.type_of(service)
        if service.port is None or kind not in ("local", "edge"):
            continue
        place = "local" if kind == "local" else f"edge {service.target}"
        first = taken.setdefault((place, service.port), name)
        if first != name:
            yield Fault(
                ("services", name, "port"), f"{service.port} is the port of service {shown(first)} too"
            )
