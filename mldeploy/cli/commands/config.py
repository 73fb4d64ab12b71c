"""`mldeploy config ls|get|set|rm`: what `{config: …}` in a manifest names."""

from __future__ import annotations

import getpass
import sys
from typing import Annotated

import typer

from mldeploy.cli import guards
from mldeploy.cli.options import (
    DEFAULT_STACK,
    JsonOption,
    ProjectOption,
    SecretsOption,
    StackOption,
    print_json,
)
from mldeploy.cli.options import session as open_session
from mldeploy.edits.stack_config import StackSettings
from mldeploy.manifest.secret_forms import is_secret_name, secret_form
from mldeploy.session import Session, UsageError

KeyArgument = Annotated[
    str,
    typer.Argument(metavar="KEY", help="The name: of `{config: KEY}` in the manifest, or namespace:name."),
]

config_app = typer.Typer(
    help="Read and change a stack's configuration, secrets among it.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@config_app.command("ls")
def list_settings(
    project: ProjectOption = None,
    stack: StackOption = DEFAULT_STACK,
    show_secrets: SecretsOption = False,
    as_json: JsonOption = False,
) -> None:
    """List every value; secrets stay hidden."""
    found = list(_settings(open_session(project, stack)).all(show_secrets=show_secrets))
    if as_json:
        print_json({one.key: {"value": one.value, "secret": one.secret} for one in found})
        return
    wide = max((len(one.key) for one in found), default=0)
    for one in found:
        print(f"{one.key:<{wide}}  {'[secret]' if one.value is None else one.value}")
    if not found:
        print(f"stack {stack!r} has no configuration")


@config_app.command("get")
def get(
    key: KeyArgument,
    project: ProjectOption = None,
    stack: StackOption = DEFAULT_STACK,
    show_secrets: SecretsOption = False,
    as_json: JsonOption = False,
) -> None:
    """Print one value; a secret only with --show-secrets."""
    one = _settings(open_session(project, stack)).find(key, show_secrets=show_secrets)
    if as_json:
        print_json({"value": one.value, "secret": one.secret})
    else:
        print("[secret]" if one.value is None else one.value)


@config_app.command("set")
def set_(
    key: KeyArgument,
    value: Annotated[
        str | None,
        typer.Argument(metavar="[VALUE]", help="Left out: asked for, or read from standard input."),
    ] = None,
    project: ProjectOption = None,
    stack: StackOption = DEFAULT_STACK,
    secret: Annotated[
        bool,
        typer.Option("--secret", help="Encrypt it. The value comes from standard input, or is asked for."),
    ] = False,
    plaintext: Annotated[
        bool, typer.Option("--plaintext", help="Keep in clear what looks like a secret.")
    ] = False,
) -> None:
    """Set a value."""
    session = open_session(project, stack)
    settings = _settings(session)
    if secret and value is not None:
        raise UsageError(
            f"config set --secret {key}: a value on the command line is in the shell's history and in process lists; "
            f"leave it out to be asked, or pipe it: `mldeploy config set --secret {key} < FILE`"
        )
    given = _asked(key, secret=secret) if value is None else value
    if not secret and not plaintext and (what := _looks_secret(key, given)):
        raise UsageError(f"{key} {what}: give --secret to encrypt it, or --plaintext when it is none")
    if secret:
        guards.passphrase(session, pulumi=False)
    settings.set(key, given, secret=secret).apply()
    print(f"{key} is set in {settings.path.name}{', encrypted' if secret else ''}", file=sys.stderr)


@config_app.command("rm")
def remove(key: KeyArgument, project: ProjectOption = None, stack: StackOption = DEFAULT_STACK) -> None:
    """Remove a value."""
    settings = _settings(open_session(project, stack))
    settings.remove(key).apply()
    print(f"{key} is removed from {settings.path.name}", file=sys.stderr)


def _settings(session: Session) -> StackSettings:
    return StackSettings(session, session.passphrase)


def _asked(key: str, *, secret: bool) -> str:
    """The value, typed or piped; a file's last line end is not part of it."""
    if not sys.stdin.isatty():
        given = sys.stdin.read()
        return given.removesuffix("\n").removesuffix("\r")
    prompt = f"value of {key}: "
    return getpass.getpass(prompt) if secret else str(typer.prompt(prompt.removesuffix(": ")))


def _looks_secret(key: str, value: str) -> str | None:
    if (form := secret_form(value)) is not None:
        return f"looks like {form}"
    return "is the name of a secret" if is_secret_name(key.rpartition(":")[2]) else None
