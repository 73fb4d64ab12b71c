"""Which of the two engines carries out an operation: the `pulumi` CLI, or the embedded one where there is none."""

from __future__ import annotations

import shutil

from mldeploy.cli.operation import EngineChoice, Runner
from mldeploy.cli.pulumi_cli import PulumiRunner
from mldeploy.session import Session, UsageError


def choose(session: Session, choice: EngineChoice) -> Runner:
    """The runner for ``--engine``.

    Raises:
        UsageError: ``pulumi`` was asked for and is not on PATH.
    """
    installed = shutil.which("pulumi")
    if choice is EngineChoice.PULUMI and not installed:
        raise UsageError("--engine pulumi: there is no `pulumi` on PATH; install it or use --engine embedded")
    if installed and choice is not EngineChoice.EMBEDDED:
        return PulumiRunner(session, installed)
    from mldeploy.cli.embedded import EmbeddedRunner

    return EmbeddedRunner(session)
