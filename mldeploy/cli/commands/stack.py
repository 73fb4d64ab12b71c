"""`mldeploy stack ls|output|export|import|rm` and `mldeploy cancel`: the state, in the CLI's formats."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from mldeploy.cli import guards
from mldeploy.cli.options import (
    DEFAULT_STACK,
    CreateOption,
    JsonOption,
    ProjectOption,
    SecretsOption,
    StackOption,
    print_json,
)
from mldeploy.cli.options import session as open_session
from mldeploy.session import Session, UsageError, find_project

ForceOption = Annotated[bool, typer.Option("--force", help="Do it in spite of what speaks against it.")]

stack_app = typer.Typer(
    help="Look at and move the state of stacks.", no_args_is_help=True, rich_markup_mode=None
)


@stack_app.command("ls")
def list_stacks(project: ProjectOption = None, as_json: JsonOption = False) -> None:
    """List the project's stacks."""
    from mldeploy.engine.state.stack import list_stacks as engine_list

    session = Session(find_project(project or Path.cwd()), DEFAULT_STACK)
    names = [reference.name for reference in engine_list(session.project, backend_url=session.backend_url)]
    if as_json:
        print_json([{"name": name} for name in names])
    else:
        print("\n".join(names) if names else "no stacks")


@stack_app.command("output")
def output(
    name: Annotated[str | None, typer.Argument(help="One output only.")] = None,
    project: ProjectOption = None,
    stack: StackOption = DEFAULT_STACK,
    show_secrets: SecretsOption = False,
    as_json: Annotated[bool, typer.Option("--json", help="The default: as in other commands.")] = True,
) -> None:
    """Print the stack's outputs as JSON."""
    del as_json
    from mldeploy.engine.state.stack import output as engine_output

    session = open_session(project, stack)
    values = engine_output(
        session.project,
        stack,
        show_secrets=show_secrets,
        backend_url=session.backend_url,
        passphrase=session.passphrase(),
    )
    if name is None:
        print_json(values)
    elif name in values:
        print_json(values[name])
    else:
        raise UsageError(
            f"no output {name!r} in stack {stack!r}; it has: {', '.join(sorted(values)) or 'none'}"
        )


@stack_app.command("export")
def export(
    project: ProjectOption = None,
    stack: StackOption = DEFAULT_STACK,
    file: Annotated[Path | None, typer.Option("--file", help="Write here instead of stdout.")] = None,
    show_secrets: SecretsOption = False,
) -> None:
    """Write the stack's state, as `pulumi stack export` does."""
    from mldeploy.engine.base.files import write_atomic
    from mldeploy.engine.state.stack import export_stack

    session = open_session(project, stack)
    exported = export_stack(
        session.project,
        stack,
        show_secrets=show_secrets,
        backend_url=session.backend_url,
        passphrase=session.passphrase(),
    )
    text = json.dumps(exported, indent=4) + "\n"
    if file is None:
        print(text, end="")
    else:
        write_atomic(file.absolute(), text.encode())  # readable by its owner only


@stack_app.command("import")
def import_(
    project: ProjectOption = None,
    stack: StackOption = DEFAULT_STACK,
    file: Annotated[Path | None, typer.Option("--file", help="Read this instead of stdin.")] = None,
    force: ForceOption = False,
    create: CreateOption = False,
) -> None:
    """Replace the stack's state by an exported one."""
    from mldeploy.engine.state.stack import import_stack

    session = open_session(project, stack, create=create, ask=file is not None)
    guards.passphrase(session, pulumi=False)
    try:
        document: Any = json.loads(file.read_text(encoding="utf-8") if file else sys.stdin.read())
    except (OSError, ValueError) as error:
        raise UsageError(f"{file or 'standard input'}: not an exported state: {error}") from None
    if not isinstance(document, dict):
        raise UsageError(f"{file or 'standard input'}: not an exported state: it must be a JSON object")
    count = import_stack(
        session.project,
        stack,
        document,  # pyright: ignore[reportUnknownArgumentType]
        force=force,
        backend_url=session.backend_url,
        passphrase=session.passphrase(),
    )
    print(f"imported {count} resources into stack {stack!r}")


@stack_app.command("init")
def init(
    name: Annotated[str, typer.Argument(help="The stack to make.")],
    project: ProjectOption = None,
) -> None:
    """Make an empty stack."""
    from mldeploy.engine.state.stack import init_stack

    session = open_session(project, name, create=True)
    guards.passphrase(session, pulumi=False)
    init_stack(session.project, name, backend_url=session.backend_url, passphrase=session.passphrase())
    print(f"made stack {name!r}")


@stack_app.command("rm")
def remove(
    name: Annotated[str, typer.Argument(help="The stack to forget.")],
    project: ProjectOption = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    force: ForceOption = False,
    preserve_config: Annotated[
        bool, typer.Option("--preserve-config", help="Keep Pulumi.<stack>.yaml.")
    ] = False,
) -> None:
    """Forget a stack that has no resources."""
    from mldeploy.engine.state.stack import remove_stack

    session = open_session(project, name)
    if not yes and sys.stdin.isatty() and not typer.confirm(f"remove stack {name!r}?"):
        raise typer.Abort
    remove_stack(
        session.project, name, force=force, preserve_config=preserve_config, backend_url=session.backend_url
    )
    print(f"removed stack {name!r}")


def cancel(project: ProjectOption = None, stack: StackOption = DEFAULT_STACK) -> None:
    """Remove the stack's lock, whoever holds it. Only when no engine works on the stack any more."""
    from mldeploy.engine.state.stack import cancel as engine_cancel

    session = open_session(project, stack)
    done = engine_cancel(session.project, stack, backend_url=session.backend_url)
    print("\n".join(done) or f"stack {stack!r} is not locked")
