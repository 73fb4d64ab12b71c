"""Names that every system they end up in takes: file systems, DNS, registries, Azure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from mldeploy.manifest.draft import Draft
from mldeploy.manifest.errors import shown
from mldeploy.manifest.kinds import kind
from mldeploy.manifest.kinds.kind import name_rule
from mldeploy.manifest.validation import Fault

# https://learn.microsoft.com/azure/azure-resource-manager/management/resource-name-rules
SECTIONS: Final = {
    "models": name_rule(
        r"[A-Za-z0-9]([A-Za-z0-9_.-]{0,253}[A-Za-z0-9_-])?",
        "1-255 letters, digits, '.', '-' and '_', a letter or digit first, no '.' last",
    ),
    # An image's name is a repository of a registry.
    "images": name_rule(
        r"(?=.{1,128}$)[a-z0-9]+([._-][a-z0-9]+)*",
        "1-128 lowercase letters and digits, with single '.', '-' or '_' between them",
    ),
    "targets": name_rule(
        r"[A-Za-z0-9]([A-Za-z0-9_-]{0,61}[A-Za-z0-9])?", "1-63 letters, digits, inner '-' and '_'"
    ),
    "services": name_rule(
        r"[A-Za-z0-9]([A-Za-z0-9_-]{0,61}[A-Za-z0-9])?", "1-63 letters, digits, inner '-' and '_'"
    ),
}
"""By the manifest's sections."""
# https://learn.microsoft.com/windows/win32/fileio/naming-a-file
_WINDOWS: Final = re.compile(r"(con|prn|aux|nul|com[0-9]|lpt[0-9])(\..*)?", re.IGNORECASE)


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
        type_ = draft.type_of(service)
        if type_ is None:
            continue
        own = kind(type_)
        rule = own.service_names
        if (
            rule is not None
            and SECTIONS["services"].pattern.fullmatch(name)
            and not rule.pattern.fullmatch(name)
        ):
            yield Fault(
                ("services", name),
                f"{shown(name)} is no name of a service on {type_}; allowed: {rule.allowed}",
            )
        if (taken := own.reserved.get(name.lower())) is not None:
            yield Fault(("services", name), f"{shown(name)} is {taken}; choose another name")
