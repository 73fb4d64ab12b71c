"""`azure:`: resource ids of the right type, and tags that Azure takes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from mldeploy.manifest.draft import Draft
from mldeploy.manifest.kinds.on_azure import TAG_NAME_LIMIT, resource_id, tags
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
_STORAGE_TAG_LIMIT: Final = 128


def check(draft: Draft, root: Path) -> Iterator[Fault]:  # noqa: ARG001
    """The foundation's existing parts, and the tags of everything that becomes an Azure resource."""
    for part, kind in _PARTS.items():
        existing = getattr(draft.azure, part).existing
        yield from resource_id(("azure", part, "existing"), existing, kind)
        settings = getattr(draft.azure, part).model_fields_set - {"existing"}
        for key in sorted(settings if existing else ()):
            yield Fault(("azure", part, key), "has no effect on an existing one")
    limit = TAG_NAME_LIMIT if draft.azure.storage.existing else _STORAGE_TAG_LIMIT
    yield from tags(("azure", "tags"), draft.azure.tags, limit)
