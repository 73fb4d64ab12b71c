"""What the types of target on Azure have in common: regions, resource ids, tags, and what `up` needs for them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from mldeploy.manifest.draft import Draft
from mldeploy.manifest.errors import shown
from mldeploy.manifest.kinds.kind import Need
from mldeploy.manifest.nodes import Path as NodePath
from mldeploy.manifest.service import Service
from mldeploy.manifest.validation import Fault

SDK: Final = Need("package", "pulumi-azure-native", "run `make setup-cloud` (the extra 'azure')")
LOGIN: Final = Need(
    "login",
    "Azure",
    "run `az login`, or set ARM_CLIENT_ID, ARM_TENANT_ID, ARM_SUBSCRIPTION_ID and ARM_USE_OIDC=true",
)
_TAG_LIMIT, _VALUE_LIMIT = 50, 256
TAG_NAME_LIMIT: Final = 512
_STANDARD: Final = frozenset({"managed-by", "project", "stack", "service"})
_RESERVED = re.compile(r"(microsoft|azure|windows)", re.IGNORECASE)


def located(draft: Draft, name: str, own: str | None, path: tuple[str, ...] = ()) -> Iterator[Fault]:
    """A region, the target's own or the stack's, where services are.

    Args:
        draft: the manifest.
        name: the target's name.
        own: its own region.
        path: the section that it is in, below the target.
    """
    if own or draft.azure.location or draft.lacks("azure", "", "location") or not draft.services_on(name):
        return
    if not any(draft.lacks("targets", name, key) for key in ("location", *path)):
        yield Fault(
            ("targets", name, *path, "location"),
            "is missing; give it here, or azure: {location: …} for the whole stack",
        )


def resource_id(path: NodePath, ident: str | None, kind: str) -> Iterator[Fault]:
    """A resource id of the right type: `Microsoft.KeyVault/vaults`; empty for a resource group."""
    if ident is None:
        return
    parts = ident.strip("/").split("/")
    # subscriptions/<id>/resourceGroups/<name>/providers/<namespace>/<type>/<name>/<type>/<name>…
    found = (
        "/".join([*parts[5:6], *parts[6::2]])
        if len(parts) > 4
        else ("" if len(parts) == 4 else "a subscription")
    )
    if found.lower() != kind.lower():
        wanted = kind or "a resource group"
        yield Fault(
            path, f"{shown(found or 'a resource group')} is the type of another resource; allowed: {wanted}"
        )


def tags_of_target(draft: Draft, name: str) -> Iterator[Fault]:
    """The target's own tags."""
    yield from tags(("targets", name, "tags"), _tags(draft, name))


def tags_of_service(draft: Draft, name: str, service: Service) -> Iterator[Fault]:
    """A service's resources have the stack's, the target's and its own tags, and four more."""
    yield from tags(("services", name, "tags"), service.tags)
    given = [draft.azure.tags, _tags(draft, service.target), service.tags]
    names = {tag.lower() for found in given for tag in found} | _STANDARD
    if len(names) > _TAG_LIMIT and all(len(found) <= _TAG_LIMIT for found in given):
        where: NodePath = ("services", name, "tags") if service.tags else ("services", name)
        yield Fault(
            where,
            f"has {len(names)} tags with those of azure, the target and {', '.join(sorted(_STANDARD))}; "
            f"Azure takes {_TAG_LIMIT}",
        )


def _tags(draft: Draft, target: str) -> Mapping[str, str]:
    found: Any = getattr(draft.targets.get(target), "tags", None)
    return found or {}


def tags(path: NodePath, given: Mapping[str, str], longest: int = TAG_NAME_LIMIT) -> Iterator[Fault]:
    """Tags that Azure takes."""
    seen: dict[str, str] = {}
    for name in given:
        if (first := seen.setdefault(name.lower(), name)) != name:
            yield Fault(
                (*path, name),
                f"{shown(name)} differs from {shown(first)} only by case, which Azure's tags do not tell apart",
            )
    if len(given) > _TAG_LIMIT:
        yield Fault(path, f"has {len(given)} tags; Azure takes {_TAG_LIMIT}")
    for name, value in given.items():
        if not name or len(name) > longest or re.search(r"[<>%&\\?/]", name):
            yield Fault(
                (*path, name), f"is no name of a tag; allowed: 1 to {longest} characters without <>%&\\?/"
            )
        elif _RESERVED.match(name):
            yield Fault(
                (*path, name),
                "is no name of a tag; names that begin with microsoft, azure, windows are reserved",
            )
        if len(value) > _VALUE_LIMIT:
            yield Fault(
                (*path, name), f"has {len(value)} characters; a tag's value has at most {_VALUE_LIMIT}"
            )
