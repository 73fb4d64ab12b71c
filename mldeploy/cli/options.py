"""What every command shares: its common options, the session they name, and exit codes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any, cast

import typer

from mldeploy.cli import completion
from mldeploy.cli.guards import known_stack
from mldeploy.session import LOCAL_STACK, Session, UsageError, find_project

EXIT_FAILED = 1
EXIT_USAGE = 2
EXIT_INTERRUPTED = 130


def _services(incomplete: str) -> list[str]:
    """For shell completion: the services of all manifests here; a manifest that cannot be read offers none."""
    import yaml

    names: set[str] = set()
    for path in [Path("manifest.yaml"), *Path.cwd().glob("manifest.*.yaml")]:
        try:
            document: Any = yaml.safe_load(path.read_text(encoding="utf-8"))
        except (OSError, ValueError, yaml.YAMLError):
            continue
        services: Any = (
            cast("dict[str, Any]", document).get("services") if isinstance(document, dict) else None
        )
        names |= (
            {str(name) for name in cast("dict[Any, Any]", services)} if isinstance(services, dict) else set()
        )
    return sorted(name for name in names if name.startswith(incomplete))


StackOption = Annotated[
    str,
    typer.Option(
        "--stack",
        "-s",
        envvar="MLDEPLOY_STACK",
        help="The stack: manifest.<stack>.yaml.",
        autocompletion=completion.stacks,
    ),
]
ProjectOption = Annotated[
    Path | None,
    typer.Option(
        "--project", "-C", help="The project's folder. Default: the nearest one with a Pulumi.yaml."
    ),
]
SecretsOption = Annotated[bool, typer.Option("--show-secrets", help="Print secrets in clear.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Machine-readable output on stdout.")]
ServiceArgument = Annotated[
    str,
    typer.Argument(metavar="SERVICE", help="The service's name in the manifest.", autocompletion=_services),
]
CreateOption = Annotated[
    bool,
    typer.Option("--create", help="Make the stack when it has neither a manifest of its own nor a state."),
]
DEFAULT_STACK = LOCAL_STACK


def session(project: Path | None, stack: str, *, create: bool = False, ask: bool = False) -> Session:
    """The session of a command's options.

    Args:
        project: where to look for the project; the working folder when None.
        stack: the stack's name.
        create: accept a stack that does not exist yet.
        ask: whether a person at a terminal may be asked about that.

    Raises:
        UsageError: no project there, no such stack, or the stack's name is not one.
    """
    if not stack or not all(c.isalnum() or c in "-_." for c in stack):
        raise UsageError(f"--stack {stack!r}: a stack's name has letters, digits, '-', '_' and '.' only")
    return known_stack(Session(find_project(project or Path.cwd()), stack), create=create, ask=ask)


def print_json(value: object) -> None:
    """One JSON document on stdout."""
    print(json.dumps(value, indent=2, ensure_ascii=False))
