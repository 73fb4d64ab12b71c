"""The Pulumi program: load the manifest of the selected stack, compose its resources, export what they answer to."""

from pathlib import Path

import pulumi

from components.compose import compose
from mldeploy.manifest import ManifestErrors, load

try:
    manifest = load(Path(__file__).parent, pulumi.get_stack())
except ManifestErrors as errors:
    raise pulumi.RunError(str(errors)) from None

for name, value in compose(manifest).items():
    pulumi.export(name, value)
