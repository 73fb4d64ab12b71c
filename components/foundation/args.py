"""Arguments of the foundation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import pulumi

from components.base import ComponentArgs


@dataclass(frozen=True, kw_only=True)
class FoundationArgs(ComponentArgs):
    """Arguments of :class:`Foundation`."""

    project: str
    """The project's name: part of the resources' names."""
    stack: str
    """The stack's name: likewise."""
    location: str
    """The Azure region, `westeurope`."""
    existing: Mapping[str, str] = field(default_factory=dict[str, str])
    """Resource ids of parts to use instead of creating them: `resource_group`, `log_analytics`,
    `app_insights`, `storage`, `key_vault`, `registry`, `workspace`."""
    tags: Mapping[str, str] = field(default_factory=dict[str, str])
    """Tags of everything created."""
    deployer_principal_id: pulumi.Input[str] | None = None
    """Object id of who runs `up`, for the right to upload models. Without it, grant that yourself."""
    deployer_type: pulumi.Input[str] = "ServicePrincipal"
    """What the deployer is: `ServicePrincipal` (pipelines), `User` or `Group`."""
    registry_sku: str = "Standard"
    """`Basic`, `Standard` or `Premium` (private networks, zones)."""
    log_retention_days: int = 30
    """How long logs are kept, 30 to 730 days."""
    vault_secrets: bool = False
    """Whether the manifest names secrets of the vault: the deployer gets the right to read them."""
    protect: bool = False
    """Whether storage, vault, registry and workspace refuse to be deleted."""
