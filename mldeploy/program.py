"""The Pulumi program of a project: its manifest's stack as resources."""

from __future__ import annotations

from pathlib import Path

import pulumi

from mldeploy.manifest import ManifestErrors, load
from mldeploy.parts import MissingPartError, importable


def deploy(project: Path) -> None:
    """Load the manifest of the selected stack, compose its resources, export what they answer to.

    Args:
        project: the folder of manifest.yaml.

    Raises:
        pulumi.RunError: the manifest or the installation is faulty; the message is all that a person needs.
    """
    try:
        with importable("components"):
            from components.compose import compose
        manifest = load(project, pulumi.get_stack())
    except (ManifestErrors, MissingPartError) as errors:
        raise pulumi.RunError(str(errors)) from None
    for name, value in compose(manifest).items():
        pulumi.export(name, value)
