"""`RegisteredModel`: a model's files under a name and an immutable version, in the local model store."""

from __future__ import annotations

from dataclasses import dataclass, field

import pulumi

from components.base import Component, ComponentArgs
from components.sdk.local import StoredModel


@dataclass(frozen=True, kw_only=True)
class RegisteredModelArgs(ComponentArgs):
    """Arguments of :class:`RegisteredModel`."""

    source: pulumi.Input[str]
    """A file or folder relative to the project, or ``runs:/<run id>/<path>``."""
    version: pulumi.Input[str] | None = None
    """A pinned, immutable version. Default: the first 12 digits of the content's digest."""
    description: pulumi.Input[str] = ""
    """What the model predicts, for people."""
    tags: dict[str, str] = field(default_factory=dict[str, str])
    """Labels to search and to write policies by."""
    properties: dict[str, str] = field(default_factory=dict[str, str])
    """Facts that never change for a version."""


class RegisteredModel(Component):
    """A registered model. Its files are stored once by content; its name and version point at them.

    The component's name is the model's name.
    """

    group = "model"

    model_name: pulumi.Output[str]
    version: pulumi.Output[str]
    digest: pulumi.Output[str]

    def __init__(
        self, name: str, args: RegisteredModelArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__(name, opts, args.customize)
        stored = StoredModel(
            f"{name}-files",
            name=name,
            source=args.source,
            version=args.version,
            description=args.description,
            tags=args.tags,
            properties=args.properties,
            opts=self.child(),
        )
        self.publish({"model_name": name, "version": stored.version, "digest": stored.digest})
