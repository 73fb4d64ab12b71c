"""What an expression of a script gives, as far as that can be said without running it."""

from __future__ import annotations

import ast
from collections.abc import Callable
from operator import add, mod, mul, sub
from pathlib import PurePosixPath
from typing import Any, Final, cast

from mldeploy.migrate import library
from mldeploy.migrate.names import Names
from mldeploy.migrate.values import (
    MISSING,
    Choice,
    Function,
    Imported,
    Scope,
    Unknown,
    apply_all,
    join,
    known,
    shown,
)

_OPERATORS: Final[dict[type[ast.operator], Callable[[Any, Any], Any]]] = {
    ast.Add: add,
    ast.Sub: sub,
    ast.Mult: mul,
    ast.Div: lambda left, right: left / right,
    ast.FloorDiv: lambda left, right: left // right,
    ast.Mod: mod,
}
_COMPARED: Final[dict[type[ast.cmpop], Callable[[Any, Any], bool]]] = {
    ast.Eq: lambda left, right: left == right,
    ast.NotEq: lambda left, right: left != right,
    ast.Is: lambda left, right: left is right,
    ast.IsNot: lambda left, right: left is not right,
    ast.In: lambda left, right: left in right,
    ast.NotIn: lambda left, right: left not in right,
}


class Expressions(Names):
    """Values of expressions. Calls are for the classes below."""

    def call(self, node: ast.Call) -> Any:
        """What a call gives."""
        raise NotImplementedError

    def value(self, node: ast.expr) -> Any:  # noqa: PLR0912 - one case a kind of expression
        """What an expression gives."""
        match node:
            case ast.Constant():
                return node.value
            case ast.Name():
                found = self.scope.get(node.id)
                return self.unknown(node) if found is MISSING or isinstance(found, Imported) else found
            case ast.List() | ast.Tuple() | ast.Set():
                return self._items(node.elts)
            case ast.Dict():
                return self._mapping(node)
            case ast.JoinedStr():
                return self._formatted(node)
            case ast.UnaryOp():
                return self._unary(node)
            case ast.BinOp():
                return self._operation(node)
            case ast.BoolOp():
                return self._either(node)
            case ast.Compare():
                truth = self.truth(node)
                return self.unknown(node) if truth is None else truth
            case ast.IfExp():
                truth = self.truth(node.test)
                if truth is not None:
                    return self.value(node.body if truth else node.orelse)
                return join(self.value(node.body), self.value(node.orelse))
            case ast.Attribute():
                return self.attribute(node)
            case ast.Subscript():
                return self.item(node)
            case ast.Call():
                return self.call(node)
            case ast.Await() | ast.Starred():
                return self.value(node.value)
            case ast.NamedExpr():
                found = self.value(node.value)
                self.scope.names[node.target.id] = found
                return found
            case ast.ListComp() | ast.GeneratorExp() | ast.SetComp():
                return self._comprehension(node)
            case ast.Lambda():
                return Function(node, self.scope, self.cell)
            case _:
                return self.unknown(node)

    def truth(self, node: ast.expr) -> bool | None:
        """Whether a condition holds; None when only running the script tells."""
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
            inner = self.truth(node.operand)
            return None if inner is None else not inner
        if isinstance(node, ast.Compare) and len(node.ops) == 1:
            left, right = self.value(node.left), self.value(node.comparators[0])
            compared = _COMPARED.get(type(node.ops[0]))
            plain = known([left]) and (
                known([right]) or (isinstance(right, list) and known(cast("list[Any]", right)))
            )
            if compared is None or not plain:
                return None
            try:
                return compared(left, right)
            except TypeError:
                return None
        found = self.value(node)
        return bool(found) if known([found]) else None

    def _items(self, nodes: list[ast.expr]) -> list[Any]:
        found: list[Any] = []
        for node in nodes:
            item = self.value(node)
            if isinstance(node, ast.Starred) and isinstance(item, list):
                found += cast("list[Any]", item)
            else:
                found.append(item)
        return found

    def _mapping(self, node: ast.Dict) -> Any:
        found: dict[Any, Any] = {}
        for key, value in zip(node.keys, node.values, strict=True):
            item = self.value(value)
            name = self.value(key) if key is not None else None
            if key is None and isinstance(item, dict):
                found |= cast("dict[Any, Any]", item)
            elif isinstance(name, str | int | float | bool):
                found[name] = item
            elif key is not None:
                found[f"<{shown(key)}>"] = item
        return found

    def _formatted(self, node: ast.JoinedStr) -> Any:
        parts: list[Any] = []
        for item in node.values:
            if not isinstance(item, ast.FormattedValue):
                parts.append(self.value(item))
                continue
            value = self.value(item.value)
            form = self.value(item.format_spec) if item.format_spec else ""
            if known([value]) and isinstance(form, str):
                try:
                    value = format(value, form)
                except (ValueError, TypeError):
                    value = self.unknown(item.value)
            parts.append(value)
        return self.text(node, parts)

    def text(self, node: ast.expr, parts: list[Any]) -> Any:
        """The pieces of a text together; what is known of it when not all are."""
        if known(parts):
            return "".join(str(part) for part in parts)
        choices = [part for part in parts if isinstance(part, Choice)]
        if choices and all(known([part]) or isinstance(part, Choice) for part in parts):
            return apply_all(lambda *one: "".join(str(part) for part in one), *parts)
        pieces = (
            part.known if isinstance(part, Unknown) else str(part) if known([part]) else "" for part in parts
        )
        return self.unknown(node, "".join(pieces))

    def _unary(self, node: ast.UnaryOp) -> Any:
        if isinstance(node.op, ast.Not):
            truth = self.truth(node)
            return self.unknown(node) if truth is None else truth
        operand = self.value(node.operand)
        if isinstance(operand, int | float):
            return -operand if isinstance(node.op, ast.USub) else operand
        return self.unknown(node)

    def _operation(self, node: ast.BinOp) -> Any:
        left, right = self.value(node.left), self.value(node.right)

        def operated(one: Any, other: Any) -> Any:
            return self._operated(node, one, other)

        return apply_all(operated, left, right)

    def _operated(self, node: ast.BinOp, left: Any, right: Any) -> Any:
        if isinstance(node.op, ast.Div) and isinstance(left, str) and isinstance(right, str):
            return str(PurePosixPath(left) / right)
        if isinstance(node.op, ast.Add) and (
            isinstance(left, str | Unknown) and isinstance(right, str | Unknown)
        ):
            return self.text(node, [left, right])
        if isinstance(node.op, ast.Mod) and isinstance(left, str):
            return self._percent(node, left, right)
        operator = _OPERATORS.get(type(node.op))
        plain = known([left, right]) or (isinstance(left, list) and isinstance(right, list))
        if operator is None or not plain:
            return self.unknown(node)
        try:
            return operator(left, right)
        except (TypeError, ValueError, ArithmeticError):
            return self.unknown(node)

    def _percent(self, node: ast.BinOp, text: str, values: Any) -> Any:
        given = tuple(cast("list[Any]", values)) if isinstance(values, list) else (values,)
        if isinstance(values, dict):
            given = (cast("Any", values),)
        plain = known(given) or (isinstance(values, dict) and known(cast("dict[Any, Any]", values).values()))
        try:
            if plain:
                return text % (given[0] if isinstance(values, dict) else given)
            return self.unknown(node, text % tuple(one if known([one]) else "" for one in given))
        except (TypeError, ValueError, KeyError):
            return self.unknown(node, text.partition("%")[0])

    def _either(self, node: ast.BoolOp) -> Any:
        """`a or b`: the first that is known to be true, or whichever it can be."""
        found: Any = MISSING
        for one in node.values:
            value = self.value(one)
            if isinstance(node.op, ast.Or) and found is MISSING and known([value]) and value:
                return value
            if isinstance(node.op, ast.Or) and not (known([value]) and not value):
                found = join(found, value)
        return self.unknown(node) if found is MISSING else found

    def _comprehension(self, node: ast.ListComp | ast.GeneratorExp | ast.SetComp) -> Any:
        if len(node.generators) != 1:
            return self.unknown(node)
        loop, outer = node.generators[0], self.scope
        items = self.value(loop.iter)
        if not isinstance(items, list):
            return self.unknown(node)
        found: list[Any] = []
        self.scope = Scope(above=outer)
        for item in cast("list[Any]", items)[: library.MOST]:
            self.bind(loop.target, item)
            if all(self.truth(test) is not False for test in loop.ifs):
                found.append(self.value(node.elt))
        self.scope = outer
        return found
