"""`LocalEndpoint`: a service on this machine, as production in small: replica, gate, listener."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pulumi

from components.base import Component, ComponentArgs
from components.sdk.local import Gate, Listener, Replica
from components.service_keys import service_keys


@dataclass(frozen=True, kw_only=True)
class ServiceModel:
    """One model as a replica sees it."""

    name: pulumi.Input[str]
    """The registered name: `Model.get_model_path(name)`."""
    version: pulumi.Input[str]
    """The registered version."""
    digest: pulumi.Input[str]
    """The digest of the model's content in the store."""


@dataclass(frozen=True, kw_only=True)
class LocalEndpointArgs(ComponentArgs):
    """Arguments of :class:`LocalEndpoint`. Names and defaults are those of v1's local web service."""

    image: pulumi.Input[str]
    """The scoring image's digest."""
    source_directory: pulumi.Input[str]
    """The entry script's folder, relative to the project."""
    entry_script: pulumi.Input[str]
    """The script with `init()` and `run()`, relative to `source_directory`."""
    models: Sequence[ServiceModel]
    """What the script finds under `AZUREML_MODEL_DIR`."""
    port: pulumi.Input[int]
    """The TCP port on 127.0.0.1."""
    environment_digest: pulumi.Input[str] | None = None
    """The digest of the image's built Python environment: the service runs as processes."""
    container_image: pulumi.Input[str] | None = None
    """The local Docker engine's tag of the image: the service runs as a container."""
    auth_enabled: bool = False
    """Whether requests need `Authorization: Bearer <key>`."""
    primary_key: pulumi.Input[str] | None = None
    """Your own primary key. Default: a generated one."""
    secondary_key: pulumi.Input[str] | None = None
    """Your own secondary key. Default: a generated one."""
    key_generation: tuple[int, int] = (1, 1)
    """Generation of the primary and the secondary key; raising one rotates that key."""
    golden: Sequence[Mapping[str, Any]] = ()
    """Requests that a new replica must answer before traffic moves to it."""
    settings: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """The replica's limits and options, by their names in the manifest (`num_replicas`, `scoring_timeout_ms`, …)."""
    ssl: Mapping[str, pulumi.Input[str]] | None = None
    """PEM `cert` and `key` for TLS, as Outputs."""


class LocalEndpoint(Component):
    """A local service. A new model or script becomes a new replica, which takes the port only after its gate passed.

    Replacing a resource means create new, update dependents, delete old. So a failed gate fails the update while the
    listener still hands requests to the old replica, and the state says so.
    """

    group = "service"

    scoring_uri: pulumi.Output[str]
    swagger_uri: pulumi.Output[str]
    primary_key: pulumi.Output[str | None]
    secondary_key: pulumi.Output[str | None]

    def __init__(
        self, name: str, args: LocalEndpointArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__(name, opts, args.customize)
        keys = service_keys(self, name, args, auth=args.auth_enabled)
        replica = Replica(
            f"{name}-replica",
            service=name,
            image=args.image,
            environment_digest=args.environment_digest,
            container_image=args.container_image,
            source_directory=args.source_directory,
            entry_script=args.entry_script,
            models=[{"name": m.name, "version": m.version, "digest": m.digest} for m in args.models],
            auth_enabled=args.auth_enabled,
            keys={"primary": keys.primary, "secondary": keys.secondary} if keys else None,
            ssl=args.ssl,
            **args.settings,
            opts=self.child(),
        )
        gate = Gate(
            f"{name}-gate",
            service=name,
            replica=replica.id,
            golden=[dict(request) for request in args.golden],
            opts=self.child(),
        )
        listener = Listener(
            f"{name}-listener",
            service=name,
            port=args.port,
            replica=replica.id,
            models=pulumi.Output.all(*[pulumi.Output.all(m.name, m.version) for m in args.models]).apply(
                lambda pairs: {str(name): str(version) for name, version in pairs}
            ),
            ssl_enabled=args.ssl is not None,
            opts=self.child(depends_on=[gate]),
        )
        self.publish(
            {
                "scoring_uri": listener.scoring_uri,
                "swagger_uri": listener.swagger_uri,
                "primary_key": keys.primary if keys else None,
                "secondary_key": keys.secondary if keys else None,
            }
        )
