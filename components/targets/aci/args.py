"""Arguments of a service on Azure Container Instances."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pulumi

from components.base import ComponentArgs
from mldeploy.manifest.service import Probes

PORT = 5001
_PROBES = Probes(initial_delay_seconds=10, timeout_seconds=5)


@dataclass(frozen=True, kw_only=True)
class AciEndpointArgs(ComponentArgs):
    """Arguments of :class:`AciEndpoint`. Names and defaults are those of v1's ACI web service."""

    image: pulumi.Input[str]
    """The image, by digest: `<registry>/<repository>@sha256:…`."""
    registry_server: pulumi.Input[str]
    """The registry's host name."""
    identity_id: pulumi.Input[str]
    """The user-assigned identity that pulls the image and that the script runs as."""
    identity_client_id: pulumi.Input[str]
    """Its client id, for `DefaultAzureCredential` in the script."""
    identity_principal_id: pulumi.Input[str]
    """Its object id."""
    resource_group: pulumi.Input[str]
    """Where the group is created."""
    resource_group_id: pulumi.Input[str]
    """The id of that resource group."""
    location: pulumi.Input[str]
    """The Azure region."""
    group_name: str | None = None
    """The container group's name. Default: the service's."""
    cpu_cores: float = 1.0
    """CPUs, 1 to 4; a change recreates the group."""
    memory_gb: float = 1.0
    """Memory in GB, to 16; a change recreates the group."""
    port: int = PORT
    """The TCP port."""
    dns_label: str | None = None
    """The first part of the public host name. Default: none, only an address."""
    auth_enabled: bool = False
    """Whether requests need `Authorization: Bearer <key>`."""
    primary_key: pulumi.Input[str] | None = None
    """Your own primary key. Default: a generated one."""
    secondary_key: pulumi.Input[str] | None = None
    """Your own secondary key. Default: a generated one."""
    key_generation: tuple[int, int] = (1, 1)
    """Generation of the primary and the secondary key; raising one rotates that key."""
    ssl: Mapping[str, pulumi.Input[str]] | None = None
    """PEM `cert` and `key`: the server speaks TLS."""
    ssl_host: str | None = None
    """The host name in the certificate, for the URIs. Default: the group's own name."""
    settings: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """The server's limits and options, by their names in the manifest (`scoring_timeout_ms`, …)."""
    environment_variables: Mapping[str, str] = field(default_factory=dict[str, str])
    """Variables for the script."""
    secret_environment: Mapping[str, pulumi.Input[str]] = field(default_factory=dict[str, pulumi.Input[str]])
    """Secret variables for the script: nobody can read them back from Azure."""
    collect_model_data: Mapping[str, Any] | None = None
    """Data collection settings, as in the manifest."""
    collect_destination: pulumi.Input[str] | None = None
    """The blob container that collected data goes to."""
    app_insights_connection: pulumi.Input[str] | None = None
    """Where telemetry goes. Default: nowhere."""
    log_analytics_id: pulumi.Input[str] | None = None
    """The customer id of a Log Analytics workspace for the container's output."""
    log_analytics_key: pulumi.Input[str] | None = None
    """Its key."""
    subnet_id: pulumi.Input[str] | None = None
    """A subnet delegated to Container Instances: the service then has a private address only."""
    zone: str | None = None
    """An availability zone."""
    probes: Probes = _PROBES
    """How the container is watched; the restart of one that answers no more has twice the patience."""
    golden: Sequence[Mapping[str, Any]] = ()
    """Requests that the service must answer before `up` is done."""
    needs: Sequence[pulumi.Resource] = ()
    """What the identity has to be given first."""
    tags: Mapping[str, str] = field(default_factory=dict[str, str])
    """Tags of the group."""
