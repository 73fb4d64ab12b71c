"""Names that every system they end up in takes: file systems, DNS, registries, Azure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from mldeploy.manifest.errors import shown
from mldeploy.manifest.rules.draft import Draft
from mldeploy.manifest.validation import Fault


@dataclass(frozen=True)
class NameRule:
    """Which names are allowed."""

    pattern: re.Pattern[str]
    allowed: str
    """The pattern in words."""


def _rule(expression: str, allowed: str) -> NameRule:
    return NameRule(re.compile(expression), allowed)


# https://learn.microsoft.com/azure/azure-resource-manager/management/resource-name-rules
SECTIONS: Final = {
    "models": _rule(
        r"[A-Za-z0-9]([A-Za-z0-9_.-]{0,253}[A-Za-z0-9_-])?",
        "1-255 letters, digits, '.', '-' and '_', a letter or digit first, no '.' last",
    ),
    # An image's name is a repository of a registry.
    "images": _rule(
        r"(?=.{1,128}$)[a-z0-9]+([._-][a-z0-9]+)*",
        "1-128 lowercase letters and digits, with single '.', '-' or '_' between them",
    ),
    "targets": _rule(
        r"[A-Za-z0-9]([A-Za-z0-9_-]{0,61}[A-Za-z0-9])?", "1-63 letters, digits, inner '-' and '_'"
    ),
    "services": _rule(
        r"[A-Za-z0-9]([A-Za-z0-9_-]{0,61}[A-Za-z0-9])?", "1-63 letters, digits, inner '-' and '_'"
    ),
}
"""By the manifest's sections."""
_SERVICES: Final = {
    # A container group's name, and a DNS label.
    "aci": _rule(
        r"(?!.*--)[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?",
        "1-63 lowercase letters, digits and single inner hyphens",
    ),
    # A Kubernetes Service's name (RFC 1035), with room for the version's suffix.
    "aks": _rule(
        r"[a-z]([a-z0-9-]{0,51}[a-z0-9])?", "1-53 lowercase letters, digits and inner hyphens, a letter first"
    ),
    # An Azure ML batch endpoint's name.
    "batch": _rule(
        r"(?!.*--)[a-z][a-z0-9-]{1,30}[a-z0-9]",
        "3-32 lowercase letters, digits and single inner hyphens, a letter first",
    ),
}
_RULES_OF_TYPE: Final = {**_SERVICES, "kubernetes": _SERVICES["aks"]}
# https://learn.microsoft.com/windows/win32/fileio/naming-a-file
_WINDOWS: Final = re.compile(r"(con|prn|aux|nul|com[0-9]|lpt[0-9])(\..*)?", re.IGNORECASE)
_SYSTEM_MODULES: Final = ("edgeagent", "edgehub")
_OBJECTS: Final = {
    "default": "the service account of every namespace",
    "kubernetes": "the API server's own service",
}


def check(draft: Draft, root: Path) -> Iterator[Fault]:  # noqa: ARG001
    """Names by themselves, names by the services' targets, and names that differ by case only."""
    for section, rule in SECTIONS.items():
        seen: dict[str, str] = {}
        for name in draft.names[section]:
            if not rule.pattern.fullmatch(name):
                yield Fault((section, name), f"{shown(name)} is no name; allowed: {rule.allowed}")
            elif _WINDOWS.fullmatch(name):
                yield Fault((section, name), f"{shown(name)} is no name; Windows keeps it for a device")
            first = seen.setdefault(name.lower(), name)
            if first != name:
                yield Fault(
                    (section, name),
                    f"{shown(name)} differs from {shown(first)} only by case; choose another name",
                )
    for name, service in draft.services.items():
        kind = draft.type_of(service)
        rule = _RULES_OF_TYPE.get(kind or "")
        if (
            rule is not None
            and SECTIONS["services"].pattern.fullmatch(name)
            and not rule.pattern.fullmatch(name)
        ):
            yield Fault(
                ("services", name),
                f"{shown(name)} is no name of a service on {kind}; allowed: {rule.allowed}",
            )
        if kind in ("aks", "kubernetes") and name in _OBJECTS:
            yield Fault(
                ("services", name), f"{shown(name)} is the name of {_OBJECTS[name]}; choose another name"
            )
        if kind == "edge" and name.lower() in _SYSTEM_MODULES:
            yield Fault(
                ("services", name), f"{shown(name)} is a system module of IoT Edge; choose another name"
            )
