"""The reference of the command line, from the Typer application."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import typer.main

from scripts.pages.text import code, plain, table

_INTRO = """\
# Command line

Every command and option of `mldeploy`, as its `--help` says it. Exit codes: 0 done, 1 the operation failed, 2 bad
input, 130 interrupted.

`--json` prints machine-readable output on standard output; messages for people go to standard error. `mldeploy
--install-completion` sets up completion for the shell that runs it (bash, zsh, fish, PowerShell).
"""


def commands() -> Iterator[tuple[str, Any]]:
    """Every command that can be run, with its full name."""
    from mldeploy.cli.app import build

    yield from _walk(typer.main.get_command(build()), "mldeploy")


def _walk(group: Any, path: str) -> Iterator[tuple[str, Any]]:
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from _walk(command, f"{path} {name}")
        else:
            yield f"{path} {name}", command


def page() -> str:
    """`reference/cli.md`."""
    found = list(commands())
    rows = [(f"[`{name}`](#{_anchor(name)})", plain(_first(command))) for name, command in found]
    return "\n".join([_INTRO, table(("command", "what it does"), rows), *(_one(n, c) for n, c in found)])


def _anchor(name: str) -> str:
    return name.replace(" ", "-")


def _first(command: Any) -> str:
    return str(command.help).strip().split("\n\n")[0]


def _one(name: str, command: Any) -> str:
    arguments = [p for p in command.params if p.param_type_name == "argument"]
    options = [p for p in command.params if p.param_type_name == "option"]
    words = [name, *(_metavar(a) for a in arguments), "[OPTIONS]"]
    parts = [f"## `{name}` {{ #{_anchor(name)} }}", "", plain(str(command.help).strip()), ""]
    parts += ["```text", " ".join(words), "```", ""]
    if arguments:
        parts += [
            table(("argument", "meaning"), ((code(_metavar(a)), plain(a.help or "")) for a in arguments))
        ]
    parts += [table(("option", "value", "default", "meaning"), (_option(o) for o in options))]
    return "\n".join(parts)


def _metavar(argument: Any) -> str:
    name = str(argument.name).upper() + ("..." if argument.nargs == -1 or _kind(argument)[1] else "")
    return name if argument.required else f"[{name}]"


def _kind(parameter: Any) -> tuple[str, bool]:
    """The value's type in words, and whether it can be given more than once."""
    annotation = parameter.type_descriptor.annotation
    many = getattr(annotation, "__origin__", None) is list
    inner = annotation.__args__[0] if many else annotation
    choices = getattr(inner, "__members__", None)
    if choices:
        return ", ".join(code(str(one.value)) for one in choices.values()), many
    names = {bool: "", str: "text", int: "whole number", float: "number"}
    return names.get(inner, "path" if inner.__name__ == "Path" else inner.__name__.lower()), many


def _option(option: Any) -> tuple[str, str, str, str]:
    kind, many = _kind(option)
    names = ", ".join(code(name) for name in option.opts)
    meaning = plain(option.help or "")
    if option.envvar:
        meaning += f" Environment: `{option.envvar}`."
    if option.min is not None:
        meaning += f" At least {option.min}."
    default = "**required**" if option.required else _default(option.default)
    return names, kind + (", repeatable" if many else ""), default, meaning


def _default(value: Any) -> str:
    if value in (None, False, ()):
        return ""
    return code(str(getattr(value, "value", value)))
