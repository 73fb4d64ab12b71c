"""The Typer application, and how errors become messages and exit codes."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from dataclasses import asdict
from importlib import import_module
from typing import Annotated, Any

import typer

from mldeploy.cli import catalog
from mldeploy.cli.options import EXIT_FAILED, EXIT_INTERRUPTED, EXIT_USAGE


def build(only: str | None = None) -> typer.Typer:
    """The application.

    Args:
        only: the one command that will run. The others are there by name and summary, and their modules, some of which
            load SDKs, are not imported.
    """
    app = typer.Typer(
        name="mldeploy",
        help=catalog.HELP,
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        # Plain help fits 80 columns, pipes, and does not load Rich.
        rich_markup_mode=None,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    # For the names of commands alone: options make Typer load pydantic, which takes longer than all the rest.
    app.callback()(_main if only != "" else _no_options)
    for entry in catalog.COMMANDS:
        _add(app, entry, load=only in (None, entry.name))
    return app


def _main(
    version: Annotated[
        bool, typer.Option("--version", is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Options of no command are answered before there is an application; here they are for completion."""
    del version


def _no_options() -> None:
    """Nothing."""


def _add(app: typer.Typer, entry: catalog.Entry, *, load: bool) -> None:
    if not load:
        app.command(entry.name, help=entry.summary)(_not_loaded)
        return
    module = import_module(entry.path)
    if entry.group:
        app.add_typer(getattr(module, f"{entry.name}_app"), name=entry.name)
    else:
        app.command(entry.name)(getattr(module, entry.name.replace("-", "_")))


def _not_loaded() -> None:
    raise AssertionError("a command that was not loaded was run")


def version() -> str:
    """What `--version` prints."""
    from importlib.metadata import version as installed

    return f"mldeploy {installed('mldeploy')}"


def _command(arguments: Sequence[str]) -> str | None:
    """The command that the arguments, or the line being completed, name; '' when none is there yet."""
    if "_MLDEPLOY_COMPLETE" in os.environ:
        line = os.environ.get("_TYPER_COMPLETE_ARGS") or os.environ.get("COMP_WORDS", "")
        arguments = line.split()[1:]
    named = next((word for word in arguments if not word.startswith("-")), "")
    return named if named in {entry.name for entry in catalog.COMMANDS} else ""


def run(arguments: list[str]) -> int:
    """Run the command line and return its exit code; every expected error is one message on stderr."""
    if arguments[:1] == ["--version"]:
        print(version())
        return 0
    try:
        result = build(_command(arguments))(args=arguments, standalone_mode=False, prog_name="mldeploy")
    except typer.Exit as stop:
        return stop.exit_code
    except typer.Abort as stop:
        print("aborted", file=sys.stderr)
        # Ctrl-C at a question arrives as a "no".
        return EXIT_INTERRUPTED if isinstance(stop.__context__, KeyboardInterrupt) else EXIT_FAILED
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    except Exception as error:
        return _explained(error, as_json="--json" in arguments)
    return result if isinstance(result, int) else 0


def _explained(error: Exception, *, as_json: bool) -> int:
    """The message and exit code of an expected error. One that is ours is raised again.

    The kinds are imported here, as most commands need none of them. Whoever asked for JSON gets that, too.
    """
    from mldeploy.engine.base.errors import EngineError, PassphraseError
    from mldeploy.home import HomeError
    from mldeploy.manifest import ManifestErrors
    from mldeploy.operations import OperationError
    from mldeploy.session import UsageError

    match error:
        case ManifestErrors():
            code, text, errors = EXIT_USAGE, str(error), [asdict(one) for one in error.errors]
        case UsageError() | HomeError() | PassphraseError():
            code, text, errors = EXIT_USAGE, f"mldeploy: {error}", [{"message": str(error)}]
        case OperationError() | EngineError():
            code, text, errors = EXIT_FAILED, f"mldeploy: {error}", [{"message": str(error)}]
        case _:
            return _click_error(error)
    print(text, file=sys.stderr)
    if as_json:
        valid = {"valid": False} if isinstance(error, ManifestErrors) else {}
        print(json.dumps({"result": "failed", **valid, "errors": errors}, ensure_ascii=False))
    return code


def _click_error(error: Exception) -> int:
    """Typer raises its own copies of click's exceptions; those are the user's, all others are ours and propagate."""
    show: Any = getattr(error, "show", None)
    if show is None:
        raise error
    show()
    return int(getattr(error, "exit_code", EXIT_USAGE))
