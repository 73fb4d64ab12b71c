"""Reading a notebook: its code cells, without what only Jupyter understands."""

from __future__ import annotations

import ast
import json
import re
from typing import Any, Final, cast

from mldeploy.migrate.cells import Cell, Command, blank, parse
from mldeploy.migrate.findings import MigrateError

_SHELLS: Final = ("bash", "sh", "script", "cmd", "powershell", "!", "system", "sx")
_FOREIGN: Final = (
    "html",
    "javascript",
    "js",
    "markdown",
    "md",
    "latex",
    "svg",
    "sql",
    "r",
    "perl",
    "ruby",
    "scala",
    "cython",
)
_TIMED: Final = re.compile(r"(\s*)%(?:time|timeit|memit|prun)\s+(?!-)(.+)")
_CAPTURED: Final = re.compile(r"(\s*)([\w, ]+?)\s*=\s*[!%].*")
_HELP: Final = re.compile(r"\s*(\?{1,2}[\w.]+|[\w.()\[\]'\"]+\?{1,2})\s*;?\s*")
_WRITE: Final = re.compile(r"%%(?:writefile|file)\s+(?:-a\s+|--append\s+)?(.+)")


def read_notebook(text: str, shown: str) -> list[Cell]:
    """Its code cells, counted as Jupyter shows them, from 1.

    Raises:
        MigrateError: it is no notebook.
    """
    try:
        document: Any = json.loads(text)
        listed: Any = document["cells"] if "cells" in document else document["worksheets"][0]["cells"]
        cells = [(cell["cell_type"], _source(cell)) for cell in cast("list[Any]", listed)]
    except (ValueError, KeyError, TypeError, IndexError) as error:
        raise MigrateError(f"{shown}: no Jupyter notebook: {error}") from error
    return [
        _cell(source, f"{shown} cell {number}")
        for number, (kind, source) in enumerate(cells, 1)
        if kind == "code"
    ]


def _source(cell: dict[str, Any]) -> str:
    source: Any = cell["source"] if "source" in cell else cell.get("input", "")
    return "".join(cast("list[str]", source)) if isinstance(source, list) else str(source)


def _cell(source: str, name: str) -> Cell:
    lines = source.splitlines()
    first = next((index for index, line in enumerate(lines) if line.strip()), 0)
    head = lines[first].strip() if lines else ""
    if not head.startswith("%%"):
        return _python(lines, name)
    magic, _, rest = head[2:].partition(" ")
    body = "\n".join(lines[first + 1 :])
    written = _WRITE.fullmatch(head)
    if written:
        return Cell(name, ast.Module([], []), writes=(written[1].strip().strip("'\""), f"{body}\n"))
    if magic.lower() in _SHELLS:
        commands = tuple(Command(line, number) for number, line in _joined(lines) if number > first + 1)
        return Cell(name, ast.Module([], []), commands=commands)
    if magic.lower() in _FOREIGN:
        return Cell(
            name,
            ast.Module([], []),
            skipped=tuple((n, t.strip()) for n, t in enumerate(lines, 1) if t.strip()),
        )
    # Code on the line of `%%time` is what it times.
    lines[first] = rest if magic in ("time", "timeit") and rest and not rest.startswith("-") else ""
    return _python(lines, name)


def _python(lines: list[str], name: str) -> Cell:
    """Python with magics; a line of a text in quotes that begins like a magic is none."""
    tree, skipped = parse("\n".join(lines))
    if not skipped:
        return Cell(name, tree)
    code, commands, helped = list(lines), list[Command](), list[tuple[int, str]]()
    for number, line in _joined(lines):
        found = _magic(line, number, commands, helped)
        if found is not None:
            height = line.count("\n") + 1
            code[number - 1 : number - 1 + height] = [found, *[""] * (height - 1)]
    tree, skipped = parse("\n".join(code))
    return Cell(name, tree, tuple(sorted((*skipped, *helped))), tuple(commands))


def _magic(line: str, number: int, commands: list[Command], helped: list[tuple[int, str]]) -> str | None:
    """What Python reads instead of a line for Jupyter; None when it is Python."""
    text = line.strip()
    timed = _TIMED.fullmatch(line)
    if timed:
        return f"{timed[1]}{timed[2]}"
    if text.startswith("!"):
        commands.append(Command(text.lstrip("!"), number))
        return blank(line)
    if text.startswith("%"):
        return blank(line)
    captured = _CAPTURED.fullmatch(line.replace("\n", " "))
    if captured:
        commands.append(Command(text.partition("=")[2].strip().lstrip("!%"), number))
        return f"{captured[1]}{captured[2]} = _what_a_command_printed"
    if _HELP.fullmatch(line):
        helped.append((number, text))
        return blank(line)
    return None


def _joined(lines: list[str]) -> list[tuple[int, str]]:
    """Lines with their numbers, from 1; those that a backslash continues are one, its line breaks kept."""
    found: list[tuple[int, str]] = []
    held, start = "", 0
    for number, line in enumerate(lines, 1):
        start = start or number
        if line.rstrip().endswith("\\"):
            held += f"{line}\n"
            continue
        found.append((start, held + line))
        held, start = "", 0
    if held:
        found.append((start, held.rstrip("\n")))
    return found
