"""`mldeploy status`, `score`, `logs` and `keys`."""

from __future__ import annotations

import json
import mimetypes
import sys
from pathlib import Path
from typing import Annotated

import typer

from mldeploy.cli.options import (
    DEFAULT_STACK,
    EXIT_FAILED,
    JsonOption,
    ProjectOption,
    ServiceArgument,
    StackOption,
    print_json,
)
from mldeploy.cli.options import session as open_session
from mldeploy.operations import OperationError, State, find_service, stack_status
from mldeploy.session import UsageError


def status(
    project: ProjectOption = None, stack: StackOption = DEFAULT_STACK, as_json: JsonOption = False
) -> None:
    """Show every service: state, model versions, URIs."""
    rows = stack_status(open_session(project, stack))
    if as_json:
        print_json([row.to_json() for row in rows])
    else:
        from rich.console import Console

        from mldeploy.cli.tables import status_table

        console = Console(width=None if Console().is_terminal else 200)
        console.print(status_table(rows) if rows else f"stack {stack!r} has no services")
    if any(row.state in (State.UNHEALTHY, State.STOPPED) for row in rows):
        raise typer.Exit(EXIT_FAILED)


def score(
    service: ServiceArgument,
    data: Annotated[str, typer.Option("--data", "-d", help="The file to send; '-' for standard input.")],
    project: ProjectOption = None,
    stack: StackOption = DEFAULT_STACK,
    content_type: Annotated[
        str | None, typer.Option("--content-type", help="Default: by the file's name, else JSON.")
    ] = None,
    timeout: Annotated[float, typer.Option("--timeout", help="Seconds to wait for the answer.")] = 60.0,
) -> None:
    """Send a file to a service and print the body of its answer. The key is read from the stack's state."""
    body = _read(data)
    media_type = content_type or mimetypes.guess_type(data)[0] or "application/json"
    answer = find_service(open_session(project, stack), service).score(body, media_type, timeout)
    sys.stdout.buffer.write(answer.body)
    if not answer.body.endswith(b"\n"):
        sys.stdout.buffer.write(b"\n")
    sys.stdout.flush()
    if answer.status >= 400:
        print(f"{service} answered HTTP {answer.status}", file=sys.stderr)
        raise typer.Exit(EXIT_FAILED)


def logs(
    service: ServiceArgument,
    project: ProjectOption = None,
    stack: StackOption = DEFAULT_STACK,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until Ctrl-C.")] = False,
    lines: Annotated[int, typer.Option("--lines", "-n", min=0, help="How many of the last lines.")] = 100,
    as_json: Annotated[
        bool, typer.Option("--json", help="One JSON object a line, also for what a script printed.")
    ] = False,
) -> None:
    """Print a service's log."""
    for line in find_service(open_session(project, stack), service).logs(lines=lines, follow=follow):
        print(_as_object(line) if as_json else line, flush=follow)


def _as_object(line: str) -> str:
    """The scoring server writes objects already; what else is in a log becomes the message of one."""
    try:
        found: object = json.loads(line)
    except ValueError:
        found = None
    return line if isinstance(found, dict) else json.dumps({"message": line}, ensure_ascii=False)


def keys(
    service: ServiceArgument,
    project: ProjectOption = None,
    stack: StackOption = DEFAULT_STACK,
    show: Annotated[bool, typer.Option("--show", help="Print the keys in clear.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Show a service's keys: masked, unless --show."""
    found = find_service(open_session(project, stack), service).keys()
    if found is None:
        raise OperationError(f"{service} has no keys: auth_enabled is off")
    values = {"primary": found.primary, "secondary": found.secondary}
    if not show:
        values = dict.fromkeys(values, "[secret]")
    if as_json:
        print_json(values)
    else:
        print("\n".join(f"{name}: {value}" for name, value in values.items()))


def _read(data: str) -> bytes:
    if data == "-":
        return sys.stdin.buffer.read()
    try:
        return Path(data).read_bytes()
    except OSError as error:
        raise UsageError(f"--data {data}: {error.strerror}") from error
