"""What reading a script keeps: what it found so far, and where it is."""

from __future__ import annotations

import ast
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mldeploy.migrate.cells import Cell
from mldeploy.migrate.values import Call, Scope, Unknown, shown


@dataclass
class State:
    """What reading a script has found so far."""

    base: Path
    """The script's folder."""
    root: Path
    """The project's folder; nothing outside it is read."""
    cells: list[Cell] = field(default_factory=list[Cell])
    """The code that is read."""
    stated: list[Call] = field(default_factory=list[Call])
    """Calls that did something, in their order."""
    made: list[Call] = field(default_factory=list[Call])
    """All v1 objects."""
    written: dict[str, Any] = field(default_factory=dict[str, Any])
    """Files that the script writes: texts, or the packages that are written."""
    environments: dict[str, Call] = field(default_factory=dict[str, Call])
    """Registered environments by name."""
    assumed: dict[str, str] = field(default_factory=dict[str, str])
    """Defaults that were taken for what a command line or an environment variable can change, by place."""
    downloads: dict[str, str] = field(default_factory=dict[str, str])
    """Files that a run's outputs are downloaded to."""
    dumped: list[str] = field(default_factory=list[str])
    """Local files that hold a model: `joblib.dump(model, path)`, `upload_file(name, path)`."""


class Reader:
    """A place in a script, and the names that are bound there."""

    def __init__(self, state: State, cell: Cell) -> None:
        self.state, self.cell = state, cell
        self.scope = Scope()

    def where(self, node: ast.AST) -> str:
        """A node's place."""
        return self.cell.where(getattr(node, "lineno", 0))

    def unknown(self, node: ast.expr, known_part: str = "") -> Unknown:
        """A value that cannot be known."""
        return Unknown(shown(node), self.where(node), known_part)

    def value(self, node: ast.expr) -> Any:
        """What an expression gives."""
        raise NotImplementedError

    def truth(self, node: ast.expr) -> bool | None:
        """Whether a condition holds; None when only running the script tells."""
        raise NotImplementedError
