"""Which of the two engines carries out an operation: the `pulumi` CLI, or the embedded one where there is none."""

from __future__ import annotations

import shutil
import sys

from mldeploy.cli import guards
from mldeploy.cli.operation import EngineChoice, Operation, Runner
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


def prepare(session: Session, choice: EngineChoice, operation: Operation) -> Runner:
    """The runner for an operation whose secrets are safe: there is a passphrase, and nothing lies in clear.

    A preview on the embedded engine writes nothing and needs neither.

    Raises:
        UsageError: there is no such engine, or no passphrase.
    """
    runner = choose(session, choice)
    pulumi = isinstance(runner, PulumiRunner)
    if pulumi or operation is not Operation.PREVIEW:
        guards.passphrase(session, pulumi=pulumi)
    if pulumi and operation is not Operation.PREVIEW and session.state_folder is not None:
        from mldeploy.engine.state.clear_text import sealed_message
        from mldeploy.engine.state.stack import seal_stack

        # The CLI would encrypt what is in the state, and leave the copies in backups and history as they are.
        sealed = seal_stack(
            session.project, session.stack, backend_url=session.backend_url, passphrase=session.passphrase()
        )
        if sealed:
            print(f"warning: {sealed_message(sealed)}", file=sys.stderr)
    return runner
