"""The Typer application: options every command shares, and how errors become messages and exit codes."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, Any, cast

import typer

from mldeploy.home import HomeError
from mldeploy.session import LOCAL_STACK, Session, UsageError, find_project

EXIT_FAILED = 1
EXIT_USAGE = 2

app = typer.Typer(
    name="mldeploy",
    help="Deploy machine-learning models from one YAML manifest: to this machine, ACI, AKS, Azure ML batch, IoT Edge.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _stacks(incomplete: str) -> list[str]:
    """For shell completion: the stacks that have a manifest here."""
    names = [path.name.split(".")[1] for path in sorted(Path.cwd().glob("manifest.*.yaml"))]
    return [name for name in names if name.startswith(incomplete)]


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
        autocompletion=_stacks,
    ),
]
ProjectOption = Annotated[
    Path | None,
    typer.Option(
        "--project", "-C", help="The project's folder. Default: the nearest one with a Pulumi.yaml."
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Machine-readable output on stdout.")]
ServiceArgument = Annotated[
    str,
    typer.Argument(metavar="SERVICE", help="The service's name in the manifest.", autocompletion=_services),
]
DEFAULT_STACK = LOCAL_STACK


@app.callback()
def _main(
    version: Annotated[
        bool, typer.Option("--version", is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    if version:
        from importlib.metadata import version as installed

        print(f"mldeploy {installed('mldeploy')}")
        raise typer.Exit


def session(project: Path | None, stack: str) -> Session:
    """The session of a command's options.

    Raises:
        UsageError: no project there, or the stack's name is not one.
    """
    if not stack or not all(c.isalnum() or c in "-_." for c in stack):
        raise UsageError(f"--stack {stack!r}: a stack's name has letters, digits, '-', '_' and '.' only")
    return Session(find_project(project or Path.cwd()), stack)


def print_json(value: object) -> None:
    """One JSON document on stdout."""
    print(json.dumps(value, indent=2, ensure_ascii=False))


def run(arguments: list[str]) -> int:
    """Run the command line and return its exit code; every expected error is one message on stderr."""
    from mldeploy.cli import commands
    from mldeploy.engine.base.errors import EngineError
    from mldeploy.manifest import ManifestErrors
    from mldeploy.operations import OperationError

    commands.register(app)
    try:
        result = app(args=arguments, standalone_mode=False)
    except typer.Exit as stop:
        return stop.exit_code
    except typer.Abort:
        print("aborted", file=sys.stderr)
        return EXIT_FAILED
    except ManifestErrors as errors:
        print(str(errors), file=sys.stderr)
        return EXIT_USAGE
    except (UsageError, HomeError) as error:
        print(f"mldeploy: {error}", file=sys.stderr)
        return EXIT_USAGE
    except (OperationError, EngineError) as error:
        print(f"mldeploy: {error}", file=sys.stderr)
        return EXIT_FAILED
    except KeyboardInterrupt:
        return 130
    except Exception as error:
        return _click_error(error)
    return result if isinstance(result, int) else 0


def _click_error(error: Exception) -> int:
    """Typer raises its own copies of click's exceptions; those are the user's, all others are ours and propagate."""
    show = getattr(error, "show", None)
    if show is None:
        raise error
    show()
    return int(getattr(error, "exit_code", EXIT_USAGE))
