"""`mldeploy status`, `score`, `logs` and `keys`."""

from __future__ import annotations

import mimetypes
import sys
from pathlib import Path
from typing import Annotated

import typer

from mldeploy.cli.loglines import as_object, last_traceback, readable
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
from mldeploy.cli.tables import print_status, stack_flag
from mldeploy.operations import OperationError, ServiceHandle, State, find_service, stack_status
from mldeploy.session import Session, UsageError


def status(
    project: ProjectOption = None, stack: StackOption = DEFAULT_STACK, as_json: JsonOption = False
) -> None:
    """Show every service: state, model versions, URIs."""
    rows = stack_status(open_session(project, stack))
    if as_json:
        print_json([row.to_json() for row in rows])
    elif rows:
        print_status(rows)
    else:
        print(f"stack {stack!r} has no services")
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
    record: Annotated[
        bool, typer.Option("--record", help="Write the answer as the golden answer to this request.")
    ] = False,
) -> None:
    """Send a file to a service and print the body of its answer. The key is read from the stack's state."""
    body = _read(data)
    media_type = content_type or mimetypes.guess_type(data)[0] or "application/json"
    session = open_session(project, stack)
    golden = _golden(session, service, data) if record else None
    found = find_service(session, service)
    answer = found.score(body, media_type, timeout)
    sys.stdout.buffer.write(answer.body)
    if not answer.body.endswith(b"\n"):
        sys.stdout.buffer.write(b"\n")
    sys.stdout.flush()
    if answer.status >= 400:
        print(f"{service} answered HTTP {answer.status}", file=sys.stderr)
        if answer.status >= 500:
            _why(session, found)
        raise typer.Exit(EXIT_FAILED)
    if golden is not None:
        golden.write_bytes(answer.body)
        print(f"wrote {golden}", file=sys.stderr)


def _golden(session: Session, service: str, data: str) -> Path:
    """Where the manifest wants the answer to this request."""
    from mldeploy.manifest import load  # for --record alone

    manifest = load(session.project, session.stack)
    if service not in manifest.services:
        raise UsageError(f"--record: the manifest has no service {service!r}")
    asked = Path(data).resolve()
    for one in manifest.services[service].golden:
        if (session.project / one.request).resolve() == asked and one.response is not None:
            return session.project / one.response
    raise UsageError(
        f"--record: no golden request of {service} is {data} with a response; add to services.{service}: "
        f"golden: [{{request: {data}, response: <file>}}], with the file there, if only empty"
    )


def _why(session: Session, service: ServiceHandle) -> None:
    """The script's last traceback, or the command that may show more."""
    try:
        trace = last_traceback(service.logs(lines=200, follow=False))
    except OperationError:
        trace = []
    if trace:
        print("the script's last traceback:", *(f"  {line}" for line in trace), sep="\n", file=sys.stderr)
    else:
        command = f"mldeploy logs {service.name}{stack_flag(session)}"
        print(f"see its log: {command}", file=sys.stderr)


def logs(
    service: ServiceArgument,
    project: ProjectOption = None,
    stack: StackOption = DEFAULT_STACK,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until Ctrl-C.")] = False,
    lines: Annotated[int, typer.Option("--lines", "-n", min=0, help="How many of the last lines.")] = 100,
    as_json: Annotated[
        bool, typer.Option("--json", help="The lines as they are: one JSON object a line.")
    ] = False,
) -> None:
    """Print a service's log."""
    for line in find_service(open_session(project, stack), service).logs(lines=lines, follow=follow):
        print("\n".join([as_object(line)] if as_json else readable(line)), flush=follow)


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
