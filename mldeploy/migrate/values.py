"""What the reader knows of a value: the value itself, that it is unknown, or the several that it can be."""

from __future__ import annotations

import ast
import copy
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, cast

from mldeploy.manifest.secret_forms import is_secret_name, secret_form

if TYPE_CHECKING:
    from mldeploy.migrate.cells import Cell

_LONGEST: Final = 100


@dataclass(frozen=True)
class Unknown:
    """A value that only running the script would give."""

    text: str
    """The expression."""
    where: str
    known: str = ""
    """The pieces of a text that are known: `churn-` of `f"churn-{run_id}"`."""
    outside: bool = False
    """It comes from whoever runs the script: an argument, a variable of the shell."""


@dataclass(frozen=True)
class Variable:
    """The value of an environment variable of whoever ran the script."""

    name: str


@dataclass(eq=False)
class Call:
    """A v1 object: who made it, with which values by parameter or attribute."""

    owner: str
    where: str
    values: dict[str, Any] = field(default_factory=dict[str, Any])

    def get(self, name: str) -> Any:
        """A value; None also when the parameter was left out."""
        return self.values.get(name)

    def copy(self) -> Call:
        """The same, to be changed on its own."""
        return Call(self.owner, self.where, dict(self.values))


@dataclass(frozen=True)
class Choice:
    """One of several values: which one depends on a condition that is not known."""

    values: tuple[Any, ...]


@dataclass(eq=False)
class Scope:
    """Names of a module, or of a function inside one."""

    names: dict[str, Any] = field(default_factory=dict[str, Any])
    above: Scope | None = None

    def get(self, name: str) -> Any:
        """A name's value, :data:`MISSING` when nothing binds it."""
        scope: Scope | None = self
        while scope is not None:
            if name in scope.names:
                return scope.names[name]
            scope = scope.above
        return MISSING


@dataclass(frozen=True)
class Imported:
    """A name from an import: `azureml.core.model.Model`."""

    path: tuple[str, ...]


@dataclass(eq=False)
class Function:
    """A function that the script defines."""

    node: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda
    scope: Scope
    cell: Cell
    bound: Instance | None = None
    """The object, for a method."""


@dataclass(eq=False)
class Class:
    """A class that the script defines; its attributes and methods by name."""

    name: str
    values: dict[str, Any] = field(default_factory=dict[str, Any])


@dataclass(eq=False)
class Instance:
    """An object of the script's own classes, a module of the project, or the parsed arguments."""

    values: dict[str, Any] = field(default_factory=dict[str, Any])
    of: Class | None = None


@dataclass(eq=False)
class Parser:
    """An `argparse.ArgumentParser`; its defaults by name."""

    values: dict[str, Any] = field(default_factory=dict[str, Any])


@dataclass(frozen=True)
class OpenFile:
    """What `open(path)` gives."""

    path: str


MISSING: Final = object()


def join(left: Any, right: Any) -> Any:
    """What a value is after a branch: the one that is known, or both. None takes nothing from what is known."""
    if right is MISSING or right is None or left is right:
        return left if left is not MISSING else right
    if left is MISSING or left is None or (isinstance(left, Unknown) and not isinstance(right, Unknown)):
        return right
    if isinstance(right, Unknown):
        return left
    both: list[Any] = []
    for one in (*each(left), *each(right)):
        if not any(one is other or (type(one) is type(other) and one == other) for other in both):
            both.append(one)
    return both[0] if len(both) == 1 else Choice(tuple(both))


def each(value: Any) -> tuple[Any, ...]:
    """The values that it can be."""
    return value.values if isinstance(value, Choice) else (value,)


def apply(function: Callable[[Any], Any], value: Any) -> Any:
    """The function of every value that one can be."""
    return apply_all(function, value)


def apply_all(function: Callable[..., Any], *values: Any) -> Any:
    """The function of every value that each can be."""
    for index, value in enumerate(values):
        if isinstance(value, Choice):
            found: Any = MISSING
            for one in value.values:
                found = join(found, apply_all(function, *values[:index], one, *values[index + 1 :]))
            return found
    return function(*values)


def known(values: Iterable[Any]) -> bool:
    """Whether all of them are plain values."""
    return all(isinstance(one, str | int | float | None) for one in values)


def only_outside(value: Any) -> bool:
    """Whether nobody who reads the script could say it, either."""
    return isinstance(value, Variable) or (isinstance(value, Unknown) and value.outside)


def storable(value: Any, otherwise: Unknown) -> Any:
    """A value that a v1 object can hold; functions, open files and the script's own objects are unknown there."""
    if isinstance(value, list):
        return [storable(one, otherwise) for one in cast("list[Any]", value)]
    if isinstance(value, dict):
        return {key: storable(one, otherwise) for key, one in cast("dict[Any, Any]", value).items()}
    if isinstance(value, Choice):
        return Choice(tuple(storable(one, otherwise) for one in value.values))
    plain = value is None or isinstance(value, str | int | float | Call | Unknown | Variable)
    return value if plain else otherwise


def shown(node: ast.AST) -> str:
    """An expression as a report names it: short, with nothing in it that looks like a secret."""

    class Masked(ast.NodeTransformer):
        def visit_Constant(self, node: ast.Constant) -> ast.AST:
            return ast.Constant("***") if isinstance(node.value, str) and secret_form(node.value) else node

        def visit_keyword(self, node: ast.keyword) -> ast.AST:
            if node.arg and is_secret_name(node.arg):
                return ast.keyword(node.arg, ast.Constant("***"))
            return self.generic_visit(node)

    text = re.sub(r"\s+", " ", ast.unparse(cast("ast.AST", Masked().visit(copy.deepcopy(node)))))
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"
