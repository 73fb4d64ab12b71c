"""`mldeploy edge export`: a deployment to devices as a file."""

from __future__ import annotations

import json
import shlex
import sys
from pathlib import Path
from typing import Annotated

import typer

from mldeploy.cli.options import DEFAULT_STACK, ProjectOption, ServiceArgument, StackOption
from mldeploy.cli.options import session as open_session
from mldeploy.engine import read_stack
from mldeploy.engine.base.files import write_atomic
from mldeploy.operations.edge import exported

edge_app = typer.Typer(
    help="Hand deployments to IoT Edge devices over to other tools.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@edge_app.callback()
def _only_groups() -> None:
    """So that `export` is a command of its own."""


@edge_app.command("export")
def export(
    service: ServiceArgument,
    output: Annotated[Path, typer.Option("--output", "-o", help="The file, readable by you alone.")],
    project: ProjectOption = None,
    stack: StackOption = DEFAULT_STACK,
) -> None:
    """Write the deployment that a service is a module of as JSON, for `az iot edge deployment create --content`.

    It is what the stack deployed last. Passwords of registries stand in it, as devices need them.
    """
    session = open_session(project, stack)
    resources = read_stack(
        session.project, session.stack, backend_url=session.backend_url, passphrase=session.passphrase()
    )
    content, arguments = exported(resources, service)
    text = json.dumps(content, indent=2, ensure_ascii=False) + "\n"
    write_atomic(
        output.absolute(), text.encode()
    )  # readable by its owner only, whoever could read the file before
    print(f"wrote {output}", file=sys.stderr)
    print(shlex.join([*arguments, "--content", str(output)]))
