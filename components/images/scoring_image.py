"""`ScoringImage`: what runs a model: entry script, Python environment, scoring server. v1 called it InferenceConfig."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import pulumi

from components.base import Component, ComponentArgs
from components.sdk.local import Environment


@dataclass(frozen=True, kw_only=True)
class ScoringImageArgs(ComponentArgs):
    """Arguments of :class:`ScoringImage`."""

    source_directory: pulumi.Input[str]
    """The folder with the entry script and what it imports, relative to the project."""
    entry_script: pulumi.Input[str]
    """The script with `init()` and `run()`, relative to `source_directory`."""
    conda_file: pulumi.Input[str] | None = None
    """The conda environment file, relative to `source_directory`. Default: the scoring server's own packages only."""
    runtime: pulumi.Input[Literal["python"]] = "python"
    """The language; v1 had `python` and `spark-py`."""
    serving_extras: Sequence[str] = ()
    """Optional dependencies of the scoring server: `azure-blob`, `azure-monitor`, `parquet`, `telemetry`."""


class ScoringImage(Component):
    """A scoring image as this machine runs it: a built environment and the digest of everything in it.

    The digest changes when the entry script, its folder, a package or the scoring server changes, and never otherwise.
    """

    group = "image"

    digest: pulumi.Output[str]
    environment_digest: pulumi.Output[str]

    def __init__(self, name: str, args: ScoringImageArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, opts, args.customize)
        environment = Environment(
            f"{name}-environment",
            image=name,
            source_directory=args.source_directory,
            entry_script=args.entry_script,
            conda_file=args.conda_file,
            runtime=args.runtime,
            serving_extras=list(args.serving_extras) or None,
            opts=self.child(),
        )
        self.publish({"digest": environment.digest, "environment_digest": environment.environment_digest})
