"""`mldeploy rollback` and `mldeploy promote`: edit the manifest, show the difference, apply it."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from mldeploy.cli.commands.deploy import EngineOption, PackOption, YesOption
from mldeploy.cli.operation import EngineChoice, Operation, RunOptions
from mldeploy.cli.options import (
    DEFAULT_STACK,
    EXIT_FAILED,
    EXIT_INTERRUPTED,
    ProjectOption,
    ServiceArgument,
    StackOption,
)
from mldeploy.cli.options import session as open_session
from mldeploy.cli.runner import prepare
from mldeploy.edits.changes import uncommitted
from mldeploy.edits.yaml_edits import Edit
from mldeploy.manifest import load
from mldeploy.session import Session

_SHOWN = 5
DryRunOption = Annotated[bool, typer.Option("--dry-run", help="Show the difference, change nothing.")]


def rollback(
    service: ServiceArgument,
    project: ProjectOption = None,
    stack: StackOption = DEFAULT_STACK,
    to: Annotated[str | None, typer.Option("--to", help="A kept version. Default: the newest.")] = None,
    engine: EngineOption = EngineChoice.AUTO,
    yes: YesOption = False,
    dry_run: DryRunOption = False,
) -> None:
    """Let a kept version of a service on Kubernetes or AKS serve again."""
    from mldeploy.edits.changes import rollback as edit

    session = open_session(project, stack)
    _carry_out(session, edit(session, service, to), engine, RunOptions(), yes=yes, dry_run=dry_run)


def promote(
    source: Annotated[str, typer.Option("--from", help="The stack that serves the models, such as dev.")],
    target: Annotated[str, typer.Option("--to", help="The stack that gets them, such as prod.")],
    project: ProjectOption = None,
    engine: EngineOption = EngineChoice.AUTO,
    policy_pack: PackOption = None,
    yes: YesOption = False,
    dry_run: DryRunOption = False,
) -> None:
    """Deploy the models that one stack serves to another: the same content, pinned by version."""
    from mldeploy.edits.changes import promote as edit

    session = open_session(project, target)
    found = edit(open_session(project, source), session)
    options = RunOptions(policy_packs=tuple(policy_pack or ()))
    _carry_out(session, found, engine, options, yes=yes, dry_run=dry_run)


def _carry_out(
    session: Session, edit: Edit, engine: EngineChoice, options: RunOptions, *, yes: bool, dry_run: bool
) -> None:
    """Show, ask, write, deploy. When the update fails, the manifest is as it was."""
    print(edit.diff or f"{edit.file.name} says so already", end="" if edit.diff else "\n")
    if others := uncommitted(session):
        shown = ", ".join(others[:_SHOWN]) + (
            f" and {len(others) - _SHOWN} more" if len(others) > _SHOWN else ""
        )
        print(f"note: not committed, and applied too: {shown}", file=sys.stderr)
    if dry_run:
        return
    if not yes and sys.stdin.isatty() and not typer.confirm(f"apply this to stack {session.stack!r}?"):
        raise typer.Abort
    edit.apply()
    try:
        load(session.project, session.stack)
        outcome = prepare(session, engine, Operation.UP).run(Operation.UP, options)
    except BaseException:
        edit.undo()
        raise
    if not outcome.ok:
        how = "as it was" if edit.undo() else "as somebody else wrote it meanwhile"
        print(f"mldeploy: the update failed; {edit.file.name} is {how}", file=sys.stderr)
        raise typer.Exit(EXIT_INTERRUPTED if outcome.interrupted else EXIT_FAILED)
