"""`Manifest`: everything that a manifest names, as one component."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pulumi

from components.base import Component, ComponentArgs, children_of
from components.compose import compose
from mldeploy.manifest import ManifestErrors, load

_NAME = "manifest.yaml"


@dataclass(frozen=True, kw_only=True)
class ManifestArgs(ComponentArgs):
    """Arguments of :class:`Manifest`."""

    file: str = _NAME
    """The manifest, `manifest.yaml` in the program's folder; `manifest.<stack>.yaml` beside it is merged over it."""


class Manifest(Component):
    """The models, images and services of a manifest in the current stack, with this component as their parent."""

    group = "index"

    models: pulumi.Output[dict[str, str]]
    services: pulumi.Output[dict[str, Any]]
    keys: pulumi.Output[dict[str, Any]]

    def __init__(self, name: str, args: ManifestArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        """See the class.

        Raises:
            pulumi.RunError: the manifest is not there, is elsewhere, or has faults.
        """
        super().__init__(name, opts, args.customize)
        file = Path(args.file).absolute()
        if file != Path.cwd() / _NAME:
            raise pulumi.RunError(
                f"file: {args.file!r}: a manifest is called {_NAME} and lies in the program's folder ({Path.cwd()}),"
                " as everything in it is relative to that folder"
            )
        try:
            manifest = load(file.parent, pulumi.get_stack())
        except ManifestErrors as errors:
            raise pulumi.RunError(str(errors)) from None
        with children_of(self):
            made = compose(manifest)
        self.publish({key: made[key] for key in ("models", "services", "keys")})
