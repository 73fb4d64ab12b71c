"""`azure:`, what the Azure services of a stack share: each part is created, or an existing one is used."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from mldeploy.manifest.base import ArmId, Labels, Location, Section, Uuid


class Part(Section):
    """A part of the foundation."""

    existing: ArmId | None = None
    """The resource id of one to use. Default: the stack creates its own."""


class LogAnalytics(Part):
    """The Log Analytics workspace."""

    retention_days: Annotated[int, Field(ge=30, le=730)] = 30
    """How long the logs of a created one are kept."""


class ContainerRegistry(Part):
    """The container registry."""

    sku: Literal["Basic", "Standard", "Premium"] = "Standard"
    """The tier of a created one; `Premium` has private networks and zones."""


class Azure(Section):
    """The foundation of the stack's Azure services."""

    location: Location | None = None
    """The region of everything without a location of its own, `westeurope`."""
    tags: Labels = Field(default_factory=dict)
    """Tags of every Azure resource of the stack."""
    resource_group: Part = Part.model_construct()
    """The resource group of everything created."""
    workspace: Part = Part.model_construct()
    """The Azure ML workspace."""
    storage: Part = Part.model_construct()
    """The storage account of models and collected data."""
    key_vault: Part = Part.model_construct()
    """The key vault, also that of `{keyvault: <name>}`."""
    registry: ContainerRegistry = ContainerRegistry.model_construct()
    """The container registry of the scoring images."""
    app_insights: Part = Part.model_construct()
    """Application Insights."""
    log_analytics: LogAnalytics = LogAnalytics.model_construct()
    """The Log Analytics workspace."""
    builder: Literal["docker", "acr"] = "docker"
    """Who builds images: the Docker engine of the machine that runs `up`, or a task of the registry."""
    deployer_principal_id: Uuid | None = None
    """The object id of who runs `up`, to be given the rights that it needs: to upload models, to create objects in a
    new cluster, to read the vault's secrets that the manifest names. Default: who is logged in."""
    deployer_type: Literal["ServicePrincipal", "User", "Group"] = "ServicePrincipal"
    """What the deployer is."""
    protect: bool = False
    """Whether storage, vault, registry and workspace refuse to be deleted."""
