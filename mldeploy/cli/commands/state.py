"""`mldeploy state delete|move|rename|protect|unprotect|taint|untaint`: edits of the record that touch no object."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from mldeploy.cli import guards
from mldeploy.cli.options import DEFAULT_STACK, ProjectOption, StackOption
from mldeploy.cli.options import session as open_session

if TYPE_CHECKING:
    from mldeploy.engine.state.edit import Edit

UrnArgument = Annotated[str, typer.Argument(help="The resource's URN.")]
UrnsArgument = Annotated[list[str] | None, typer.Argument(help="URNs of resources.")]
AllOption = Annotated[bool, typer.Option("--all", help="Every resource of the stack.")]

state_app = typer.Typer(
    help="Edit the record of a stack; no object is touched.", no_args_is_help=True, rich_markup_mode=None
)


def _apply(project: ProjectOption, stack: str, edit: Edit, done: str) -> None:
    from mldeploy.engine.state.edit import EditedStack

    session = open_session(project, stack)
    guards.passphrase(session, pulumi=False)
    EditedStack(session.project, stack, session.backend_url, session.passphrase()).apply(edit)
    print(done)


@state_app.command("delete")
def delete(
    urn: UrnArgument,
    project: ProjectOption = None,
    stack: StackOption = DEFAULT_STACK,
    force: Annotated[bool, typer.Option("--force", help="A protected resource, too.")] = False,
    target_dependents: Annotated[
        bool, typer.Option("--target-dependents", help="And everything that needs it.")
    ] = False,
) -> None:
    """Forget a resource; its object stays where it is."""
    from mldeploy.engine.state import edit

    _apply(
        project, stack, edit.delete(urn, force=force, target_dependents=target_dependents), f"forgot {urn}"
    )


@state_app.command("rename")
def rename(
    urn: UrnArgument,
    name: Annotated[str, typer.Argument(help="The new logical name.")],
    project: ProjectOption = None,
    stack: StackOption = DEFAULT_STACK,
) -> None:
    """Give a resource another logical name."""
    from mldeploy.engine.state import edit

    _apply(project, stack, edit.rename(urn, name), f"{urn} is now called {name}")


@state_app.command("move")
def move(
    urns: Annotated[list[str], typer.Argument(help="URNs of resources; their children go along.")],
    dest: Annotated[
        str, typer.Option("--dest", help="The stack to move to, or organization/<project>/<stack>.")
    ],
    project: ProjectOption = None,
    stack: StackOption = DEFAULT_STACK,
    include_parents: Annotated[
        bool, typer.Option("--include-parents", help="And the components that they are part of.")
    ] = False,
) -> None:
    """Move resources from this stack's record to another one's."""
    from mldeploy.engine.state.move import move as move_record

    session = open_session(project, stack)
    guards.passphrase(session, pulumi=False)
    moved = move_record(
        session.project,
        stack,
        dest,
        urns,
        include_parents=include_parents,
        backend_url=session.backend_url,
        passphrase=session.passphrase(),
    )
    for urn in moved.unknown:
        print(f"warning: {urn} is not in the stack", file=sys.stderr)
    for cut in moved.cut:
        print(f"warning: no longer: {cut}", file=sys.stderr)
    for urn in moved.urns:
        print(f"moved {urn}")


def _mark(
    project: ProjectOption, stack: str, urns: list[str] | None, flag: str, value: bool, every: bool
) -> None:
    from mldeploy.engine.state import edit

    change = edit.mark(urns or [], flag, value=value, everything=every)
    _apply(project, stack, change, f"{flag} is {'on' if value else 'off'}")


@state_app.command("protect")
def protect(
    urns: UrnsArgument = None,
    project: ProjectOption = None,
    stack: StackOption = DEFAULT_STACK,
    every: AllOption = False,
) -> None:
    """Keep resources from being deleted."""
    _mark(project, stack, urns, "protect", True, every)


@state_app.command("unprotect")
def unprotect(
    urns: UrnsArgument = None,
    project: ProjectOption = None,
    stack: StackOption = DEFAULT_STACK,
    every: AllOption = False,
) -> None:
    """Let resources be deleted again."""
    _mark(project, stack, urns, "protect", False, every)


@state_app.command("taint")
def taint(
    urns: UrnsArgument = None, project: ProjectOption = None, stack: StackOption = DEFAULT_STACK
) -> None:
    """Have resources replaced by the next `up`."""
    _mark(project, stack, urns, "taint", True, False)


@state_app.command("untaint")
def untaint(
    urns: UrnsArgument = None,
    project: ProjectOption = None,
    stack: StackOption = DEFAULT_STACK,
    every: AllOption = False,
) -> None:
    """Take a taint back."""
    _mark(project, stack, urns, "taint", False, every)
