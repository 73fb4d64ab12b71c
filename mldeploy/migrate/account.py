"""An account of the v1 calls in a file that shares nothing with the reader but the cells and v1's names.

It walks the syntax tree itself and knows no values, branches or scopes. What it finds and the reader has no line about
is reported as seen but not understood.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from mldeploy.migrate.cells import Cell
from mldeploy.migrate.scripts import cells_of
from mldeploy.migrate.v1 import FUNCTIONS, LOOKUPS, METHODS, OBJECT_METHODS

_COMMAND: Final = re.compile(
    r"\baz\s+ml\s+(model|service|computetarget)\s+(register|deploy|update|delete|create|attach|detach|package|profile)\b"
)
_WRITTEN: Final = re.compile(
    r"\b(?:Model|\w*Webservice|ContainerImage|Image|ComputeTarget)\.(?:register|deploy\w*|create|attach|image_configuration)\s*\(|\.register_model\s*\("
)


@dataclass(frozen=True)
class Site:
    """A place that calls v1."""

    where: str
    name: str
    keywords: tuple[str, ...] = ()
    """Arguments whose values are written out there."""


def sites(path: Path, shown: str | None = None) -> list[Site]:
    """Every call that registers, builds, configures, deploys, updates, profiles or deletes, in a script or notebook.

    Raises:
        MigrateError: the file cannot be read.
    """
    cells = cells_of(path, shown or path.name)
    foreign, objects = _foreign(cells), _objects(cells)
    found: list[Site] = []
    for cell in cells:
        found += _calls(cell, foreign, objects)
        for line, text in cell.skipped:
            found += [Site(cell.where(line), match[0].rstrip("( ")) for match in _WRITTEN.finditer(text)]
        for command in cell.commands:
            if command.text.lstrip().startswith(("#", "echo ")):
                continue
            found += [Site(cell.where(command.line), match[0]) for match in _COMMAND.finditer(command.text)]
    return list(dict.fromkeys(found))


def _calls(cell: Cell, foreign: set[str], objects: set[str]) -> Iterator[Site]:
    for node in ast.walk(cell.tree):
        if not isinstance(node, ast.Call):
            continue
        name = _name(node.func)
        owner = FUNCTIONS.get(name[-2:]) or FUNCTIONS.get(name[-1:])
        written = tuple(
            one.arg
            for one in node.keywords
            if one.arg and isinstance(one.value, ast.Constant) and one.value.value not in (None, "")
        )
        if (
            owner is not None
            and owner not in LOOKUPS
            and not foreign & set(name)
            and (len(name) < 2 or name[-2] == "azureml" or name[-2][:1].isupper())
        ):
            yield Site(cell.where(node.lineno), ".".join(name[-2:]), written)
        elif isinstance(node.func, ast.Attribute) and (
            node.func.attr in METHODS
            or (node.func.attr in OBJECT_METHODS and _last(node.func.value) in objects)
        ):
            yield Site(cell.where(node.lineno), node.func.attr, written)


def _name(node: ast.expr) -> tuple[str, ...]:
    path: list[str] = []
    while isinstance(node, ast.Attribute):
        path.insert(0, node.attr)
        node = node.value
    return (node.id, *path) if isinstance(node, ast.Name) else ()


def _last(node: ast.expr) -> str:
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


def _foreign(cells: list[Cell]) -> set[str]:
    """Names that the file imports from elsewhere than azureml: `Model` of keras."""
    here: set[str] = set()
    theirs: set[str] = set()
    for node in (node for cell in cells for node in ast.walk(cell.tree)):
        if isinstance(node, ast.ImportFrom):
            names = {one.asname or one.name for one in node.names}
            (here if (node.module or "").startswith(("azureml", "mlflow")) else theirs).update(names)
    return theirs - here


def _objects(cells: list[Cell]) -> set[str]:
    """Names that are given a v1 object somewhere."""
    found: set[str] = set()
    for node in (node for cell in cells for node in ast.walk(cell.tree)):
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call):
            name = _name(node.value.func)
            owner = FUNCTIONS.get(name[-2:]) or FUNCTIONS.get(name[-1:]) if name else None
            if owner is not None and not owner.startswith(("Run", "CondaDependencies")):
                found |= {_last(target) for target in node.targets} - {""}
    return found
