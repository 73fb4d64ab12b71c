"""What is asked, or refused, before a command touches anything: a slip of the fingers must cost nothing.

On a terminal a person is asked. Elsewhere, and with ``--yes``, the command ends with exit code 2 and says which option
or variable means "I do mean it".
"""

from __future__ import annotations

import difflib
import getpass
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable
from typing import Any, cast

import typer

from mldeploy.session import LOCAL_STACK, Session, UsageError

_TRIES = 3
HOW_TO_SET = "set PULUMI_CONFIG_PASSPHRASE, or PULUMI_CONFIG_PASSPHRASE_FILE to a file that holds it"


def is_terminal() -> bool:
    """Whether somebody can be asked."""
    return sys.stdin.isatty() and sys.stderr.isatty()


# --- which stack ------------------------------------------------------------------------------------------


def known_stack(session: Session, *, create: bool = False, ask: bool = False) -> Session:
    """Refuse a stack that nobody described and nobody deployed: most likely its name is misspelt.

    Args:
        session: names the stack.
        create: make it all the same.
        ask: whether the command may ask on a terminal.

    Raises:
        UsageError: there is no such stack.
    """
    if create or _is_known(session):
        return session
    there = sorted(_all_stacks(session))
    message = _unknown(session, there)
    if ask and is_terminal():
        print(f"mldeploy: {message}", file=sys.stderr)
        if typer.confirm(f"make a new stack {session.stack!r}?", err=True):
            return session
        raise typer.Abort
    raise UsageError(f"{message}; `mldeploy up --create` makes a new one")


def _is_known(session: Session) -> bool:
    described = session.described_stacks()
    if session.stack in described or session.state_file() is not None:
        return True
    if session.stack == LOCAL_STACK and not described:
        return True  # a project of one manifest
    return session.state_folder is None and session.stack in _listed_by_the_cli(session)


def _all_stacks(session: Session) -> set[str]:
    elsewhere = _listed_by_the_cli(session) if session.state_folder is None else set[str]()
    return session.described_stacks() | session.deployed_stacks() | elsewhere


def _listed_by_the_cli(session: Session) -> set[str]:
    """Stacks of a backend that only the CLI can read: a bucket, Pulumi Cloud."""
    pulumi = shutil.which("pulumi")
    if pulumi is None:
        return set()
    environment = {**os.environ, "PULUMI_BACKEND_URL": session.backend_url, "PULUMI_SKIP_UPDATE_CHECK": "1"}
    done = subprocess.run(
        [pulumi, "stack", "ls", "--json", "--non-interactive"],
        cwd=session.project,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise UsageError(
            f"the stacks of {session.backend_url} cannot be listed: {(done.stderr or done.stdout).strip()}"
        )
    return {
        str(one["name"]).rsplit("/", 1)[-1] for one in cast("list[dict[str, Any]]", json.loads(done.stdout))
    }


def _unknown(session: Session, there: list[str]) -> str:
    close = difflib.get_close_matches(session.stack, there, n=1)
    hint = (
        f'did you mean "{close[0]}"?'
        if close
        else f"there are: {', '.join(there)}"
        if there
        else "there is none"
    )
    return f"no stack {session.stack!r}: it has neither manifest.{session.stack}.yaml nor a state ({hint})"


# --- its passphrase ---------------------------------------------------------------------------------------


def passphrase(session: Session, *, pulumi: bool) -> None:
    """Make sure that what will be written can be encrypted, and that what is there can be read.

    The local stack has a passphrase of its own. Others bring theirs, or somebody types it: twice when the stack is new.

    Args:
        session: names the stack.
        pulumi: whether the CLI carries out the operation; it knows other ways to keep secrets.

    Raises:
        UsageError: there is none, or a wrong one.
    """
    if pulumi and _keeps_secrets_elsewhere(session):
        return
    if session.stack == LOCAL_STACK and session.passphrase() is None:
        session.make_passphrase()
    given = session.passphrase()
    if given is None:
        if not is_terminal():
            raise UsageError(f"stack {session.stack!r} needs a passphrase for its secrets; {HOW_TO_SET}")
        _ask_passphrase(session)
        return
    if not given:
        print(
            f"warning: the passphrase of stack {session.stack!r} is empty: whoever has its state can read its secrets",
            file=sys.stderr,
        )
    if not _fits(session, given):
        raise UsageError(f"incorrect passphrase for stack {session.stack!r}; {HOW_TO_SET}")


def _keeps_secrets_elsewhere(session: Session) -> bool:
    if session.stack_settings().get("secretsprovider") not in (None, "passphrase"):
        return True
    return session.backend_url.startswith(("http://", "https://"))


def _ask_passphrase(session: Session) -> None:
    new = session.salt() is None
    for _ in range(_TRIES):
        typed = getpass.getpass(f"{'new ' if new else ''}passphrase of stack {session.stack!r}: ")
        if not typed:
            print("it must not be empty", file=sys.stderr)
        elif new and getpass.getpass("once more: ") != typed:
            print("these are not the same", file=sys.stderr)
        elif not new and not _fits(session, typed):
            print("incorrect passphrase", file=sys.stderr)
        else:
            session.type_passphrase(typed)
            return
    raise UsageError(f"no passphrase for stack {session.stack!r}; {HOW_TO_SET}")


def _fits(session: Session, given: str) -> bool:
    """Whether it is the one that the stack's secrets were encrypted with; True when there are none."""
    from mldeploy.engine.project.secrets import fits

    salt = session.salt()
    return salt is None or fits(given, salt)


# --- what would be lost -----------------------------------------------------------------------------------


def not_emptied(session: Session, wanted: Iterable[str], *, allowed: bool, ask: bool) -> None:
    """Refuse an update after which no service of the stack is left.

    Args:
        session: names the stack.
        wanted: the services that the manifest lists.
        allowed: whether ``--allow-empty`` was given.
        ask: whether the command may ask on a terminal.

    Raises:
        UsageError: it would delete every service.
    """
    if allowed or session.state_file() is None:
        return
    from mldeploy.operations import composed_services

    deployed = sorted(composed_services(session))
    if not deployed or set(deployed) & set(wanted):
        return
    message = f"this deletes every service of stack {session.stack!r}: {', '.join(deployed)}"
    if ask and is_terminal():
        if typer.confirm(f"{message}. Go on?", err=True):
            return
        raise typer.Abort
    raise UsageError(f"{message}; if that is meant, give --allow-empty, or use `mldeploy destroy`")
