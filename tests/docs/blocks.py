"""The fenced blocks and inline commands of README and docs, and what each of them is."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FILES = (
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md", "pipelines/README.md")),
    *sorted((ROOT / "docs").rglob("*.md")),
)
_FENCE = re.compile(r"^```(\w*)[^\n]*\n(.*?)^```$", re.M | re.S)


@dataclass(frozen=True)
class Block:
    """A fenced block: where it begins, its language, its text."""

    file: str
    line: int
    language: str
    text: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


def blocks() -> list[Block]:
    """Every fenced block."""
    return [one for file in FILES for one in of(file.relative_to(ROOT).as_posix(), file.read_text("utf-8"))]


def of(name: str, text: str) -> Iterator[Block]:
    """The fenced blocks of one page."""
    for found in _FENCE.finditer(text):
        yield Block(name, text.count("\n", 0, found.start()) + 1, found[1], found[2])


def commands(block: Block) -> list[list[str]]:
    """The words of each command of a console block; what a command prints has no `$ ` before it.

    Raises:
        ValueError: a line is neither a command nor a comment (in a block without any `$ `, each line is a command).
    """
    lines = [line.strip() for line in block.text.replace("\\\n", " ").splitlines() if line.strip()]
    if any(line.startswith("$ ") for line in lines):
        lines = [line[2:] for line in lines if line.startswith("$ ")]
    return [words for line in lines if (words := shlex.split(line, comments=True))]


def inline() -> list[tuple[str, str]]:
    """Commands within sentences: the file, and the text between backticks."""
    found = []
    for file in FILES:
        text = _FENCE.sub("", file.read_text("utf-8"))
        found += [
            (file.relative_to(ROOT).as_posix(), " ".join(one.split()))
            for one in re.findall(r"`((?:mldeploy|make) [^`]+)`", text)
        ]
    return found
