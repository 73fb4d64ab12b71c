"""A piece of a script that is read as one: a whole file, or a cell of a notebook."""

from __future__ import annotations

import ast
import warnings
from dataclasses import dataclass
from typing import Final

_ATTEMPTS: Final = 40


@dataclass(frozen=True)
class Command:
    """Text for a shell, and the line that it begins on."""

    text: str
    line: int


@dataclass(frozen=True)
class Cell:
    """Code with its place."""

    name: str
    """`deploy.py`, or `train.ipynb cell 7`."""
    tree: ast.Module
    skipped: tuple[tuple[int, str], ...] = ()
    """Lines that are no Python, by number."""
    commands: tuple[Command, ...] = ()
    """What it gives to a shell: `!az ml model deploy …`, `%%bash`."""
    writes: tuple[str, str] | None = None
    """`%%writefile`: the file's name as written, and its content."""

    def where(self, line: int) -> str:
        """A place as a report names it."""
        return f"{self.name}, line {line}" if " cell " in self.name else f"{self.name}:{line}"


def parse(text: str) -> tuple[ast.Module, tuple[tuple[int, str], ...]]:
    """The syntax tree of what is Python in a text, and the lines that are not.

    A line that the parser stops at is left out and the rest read again: one line of Python 2, prose or a magic that
    nobody knows takes nothing else with it.
    """
    lines = text.splitlines()
    skipped: dict[int, str] = {}
    for _ in range(_ATTEMPTS):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                return ast.parse("\n".join(lines)), tuple(sorted(skipped.items()))
        except (SyntaxError, ValueError) as error:
            number = _at(error, lines)
            line = lines[number]
            skipped.setdefault(number + 1, line.strip())
            # `pass` keeps the block that the line stood in; when that was the fault, nothing is left of it.
            kept = f"{line[: len(line) - len(line.lstrip())]}pass"
            lines[number] = "" if line == kept else kept
    for number, line in enumerate(lines, 1):
        if line.strip() and line.strip() != "pass":
            skipped.setdefault(number, line.strip())
    return ast.Module([], []), tuple(sorted(skipped.items()))


def _at(error: SyntaxError | ValueError, lines: list[str]) -> int:
    """The line to leave out: the one that the parser stopped at, or the next above it with anything in it."""
    number = min((getattr(error, "lineno", None) or 1) - 1, len(lines) - 1)
    while number > 0 and not lines[number].strip():
        number -= 1
    if not lines[number].strip():
        number = next((index for index, line in enumerate(lines) if line.strip()), 0)
    return number


def blank(line: str) -> str:
    """A line that does nothing, in the block that the line stood in."""
    return f"{line[: len(line) - len(line.lstrip())]}pass"
