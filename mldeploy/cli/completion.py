"""What a shell asks most often while somebody types: names of commands and of stacks. Answered without loading them.

Everything else, Typer answers. The shells' formats are Typer's, whose scripts `--install-completion` sets up; a test
compares them.
"""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path

from mldeploy.cli import catalog

VARIABLE = "_MLDEPLOY_COMPLETE"
_STACK_OPTIONS = ("--stack", "-s")


def answer(environment: Mapping[str, str]) -> str | None:
    """What to print for the shell that asks; None when Typer has to answer."""
    shell = environment[VARIABLE].removeprefix("complete_")
    line = _line(shell, environment)
    if line is None:
        return None
    before, typed = line
    if not before and not typed.startswith("-"):
        found = [(one.name, one.summary) for one in catalog.COMMANDS if one.name.startswith(typed)]
    elif len(before) > 1 and before[-1] in _STACK_OPTIONS:
        found = [(name, "") for name in stacks(typed)]
    else:
        return None
    return _written(shell, found) if found else None


def stacks(typed: str) -> list[str]:
    """The stacks that have a manifest in this folder and begin so."""
    names = [path.name.removeprefix("manifest.").removesuffix(".yaml") for path in _overlays()]
    return [name for name in names if name.startswith(typed)]


def _overlays() -> list[Path]:
    return sorted(Path.cwd().glob("manifest.*.yaml"))


def _line(shell: str, environment: Mapping[str, str]) -> tuple[Sequence[str], str] | None:
    """The words before the one that is typed, and that one."""
    text = environment.get("COMP_WORDS" if shell == "bash" else "_TYPER_COMPLETE_ARGS", "")
    try:
        words = shlex.split(text)[1:]
    except ValueError:  # an open quote
        return None
    if shell == "bash":
        at = int(environment.get("COMP_CWORD", "0")) - 1
        return words[:at], words[at] if 0 <= at < len(words) else ""
    if shell not in ("zsh", "fish"):
        return None
    if shell == "fish" and environment.get("_TYPER_COMPLETE_FISH_ACTION") != "get-args":
        return None
    return (words, "") if not words or text.endswith(" ") else (words[:-1], words[-1])


def _written(shell: str, found: Sequence[tuple[str, str]]) -> str:
    if shell == "bash":
        return "\n".join(name for name, _ in found)
    if shell == "fish":
        return "\n".join(f"{name}\t{text}" if text else name for name, text in found)
    items = [f'"{_zsh(name)}":"{_zsh(text)}"' if text else f'"{_zsh(name)}"' for name, text in found]
    return "_arguments '*: :((" + "\n".join(items) + "))'"


def _zsh(text: str) -> str:
    text = re.sub(r"([\"'])", r"\1\1", text)
    return re.sub(r"([$`])", r"\\\1", text).replace(":", r"\\:")


def asked() -> bool:
    """Whether a shell asks what could come next."""
    return VARIABLE in os.environ
