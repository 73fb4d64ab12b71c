"""Resource ids of the right type, and tags that Azure takes."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from mldeploy.manifest.errors import shown
from mldeploy.manifest.nodes import Path as NodePath
from mldeploy.manifest.rules.draft import Draft
from mldeploy.manifest.service import Service
from mldeploy.manifest.targets import AciTarget, AksTarget, BatchTarget
from mldeploy.manifest.validation import Fault

_PARTS: Final = {
    "resource_group": "",
    "workspace": "Microsoft.MachineLearningServices/workspaces",
    "storage": "Microsoft.Storage/storageAccounts",
    "key_vault": "Microsoft.KeyVault/vaults",
    "registry": "Microsoft.ContainerRegistry/registries",
    "app_insights": "Microsoft.Insights/components",
    "log_analytics": "Microsoft.OperationalInsights/workspaces",
}
_SUBNET: Final = "Microsoft.Network/virtualNetworks/subnets"
_MONITOR: Final = "Microsoft.Monitor/accounts"
_COMPUTE: Final = "Microsoft.MachineLearningServices/workspaces/computes"
_TAG_LIMIT, _NAME_LIMIT, _VALUE_LIMIT = 50, 512, 256
_STORAGE_NAME_LIMIT: Final = 128
_STANDARD: Final = frozenset({"managed-by", "project", "stack", "service"})
_RESERVED = re.compile(r"(microsoft|azure|windows)", re.IGNORECASE)


def check(draft: Draft, root: Path) -> Iterator[Fault]:  # noqa: ARG001
    """The foundation's existing parts, subnets, and the tags of everything that becomes an Azure resource."""
    for part, kind in _PARTS.items():
        existing = getattr(draft.azure, part).existing
        yield from _typed(("azure", part, "existing"), existing, kind)
        settings = getattr(draft.azure, part).model_fields_set - {"existing"}
        for key in sorted(settings if existing else ()):
            yield Fault(("azure", part, key), "has no effect on an existing one")
    yield from _tags(
        ("azure", "tags"),
        draft.azure.tags,
        _NAME_LIMIT if draft.azure.storage.existing else _STORAGE_NAME_LIMIT,
    )
    for name, target in draft.targets.items():
        path: NodePath = ("targets", name)
        if isinstance(target, AciTarget | BatchTarget):
            yield from _typed((*path, "subnet_id"), target.subnet_id, _SUBNET)
            yield from _tags((*path, "tags"), target.tags)
        if isinstance(target, BatchTarget):
            yield from _typed((*path, "existing"), target.existing, _COMPUTE)
        if isinstance(target, AksTarget):
            yield from _tags((*path, "tags"), target.tags)
            if target.create is not None:
                yield from _typed((*path, "create", "subnet_id"), target.create.subnet_id, _SUBNET)
                metrics = (*path, "create", "azure_monitor_workspace_id")
                yield from _typed(metrics, target.create.azure_monitor_workspace_id, _MONITOR)
                if target.create.azure_monitor_workspace_id and not target.create.managed_prometheus:
                    yield Fault(metrics, "has no effect without managed_prometheus: true")
                yield from _tags((*path, "create", "tags"), target.create.tags)
    for name, service in draft.services.items():
        if draft.type_of(service) in ("aci", "aks", "batch"):
            yield from _tags(("services", name, "tags"), service.tags)
            yield from _together(draft, name, service)


def _typed(path: NodePath, ident: str | None, kind: str) -> Iterator[Fault]:
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


def _together(draft: Draft, name: str, service: Service) -> Iterator[Fault]:
    """A service's resources have the stack's, the target's and its own tags, and four more."""
    target = draft.targets.get(service.target)
    if not isinstance(target, AciTarget | BatchTarget):
        return
    given = [draft.azure.tags, target.tags, service.tags]
    names = {tag.lower() for tags in given for tag in tags} | _STANDARD
    if len(names) > _TAG_LIMIT and all(len(tags) <= _TAG_LIMIT for tags in given):
        where: NodePath = ("services", name, "tags") if service.tags else ("services", name)
        yield Fault(
            where,
            f"has {len(names)} tags with those of azure, the target and {', '.join(sorted(_STANDARD))}; "
            f"Azure takes {_TAG_LIMIT}",
        )


def _tags(path: NodePath, tags: Mapping[str, str], longest: int = _NAME_LIMIT) -> Iterator[Fault]:
    seen: dict[str, str] = {}
    for name in tags:
        if (first := seen.setdefault(name.lower(), name)) != name:
            yield Fault(
                (*path, name),
                f"{shown(name)} differs from {shown(first)} only by case, which Azure's tags do not tell apart",
            )
    if len(tags) > _TAG_LIMIT:
        yield Fault(path, f"has {len(tags)} tags; Azure takes {_TAG_LIMIT}")
    for name, value in tags.items():
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
