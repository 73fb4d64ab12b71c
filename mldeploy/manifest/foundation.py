"""Whether a stack has a foundation on Azure: it depends on the types of its targets."""

from __future__ import annotations

from collections.abc import Iterable

from mldeploy.manifest.azure import Azure
from mldeploy.manifest.kinds import kind


def has_vault(azure: Azure, target_types: Iterable[str]) -> bool:
    """Whether `{keyvault: <name>}` is a name in some vault: an existing one, or that of the stack's foundation."""
    return azure.key_vault.existing is not None or makes_foundation(azure, target_types)


def makes_foundation(azure: Azure, target_types: Iterable[str]) -> bool:
    """Whether a stack with targets of these types has a foundation of its own to take a vault from."""
    needs = {kind(name).foundation for name in target_types}
    return "always" in needs or (
        "with location" in needs and azure.location is not None and azure.key_vault.existing is None
    )
