"""Names, attributes and items: what a script binds, and what it finds there again."""

from __future__ import annotations

import ast
from typing import Any, Final, cast

from mldeploy.migrate import library
from mldeploy.migrate.reading import Reader
from mldeploy.migrate.v1 import ATTRIBUTES, CONSTANTS
from mldeploy.migrate.values import (
    MISSING,
    Call,
    Choice,
    Class,
    Function,
    Imported,
    Instance,
    OpenFile,
    Parser,
    Unknown,
    Variable,
    apply,
    apply_all,
)

_HELD: Final = {
    "compute_targets": "ComputeTarget",
    "models": "Model",
    "webservices": "Webservice",
    "images": "Image",
}
"""Mappings of a workspace by attribute, and what they hold."""


class Names(Reader):
    """Where values are kept."""

    def bind(self, target: ast.expr, value: Any) -> None:
        """Give a value to a name, an attribute or an item."""
        match target:
            case ast.Name():
                self.scope.names[target.id] = value
            case ast.Tuple() | ast.List():
                values = cast("list[Any]", value) if isinstance(value, list) else []
                same = len(values) == len(target.elts)
                for index, item in enumerate(target.elts):
                    self.bind(item, values[index] if same else self.unknown(item))
            case ast.Attribute():
                self._bind_attribute(target, value)
            case ast.Subscript():
                self._bind_item(target, value)
            case ast.Starred():
                self.bind(target.value, value)
            case _:
                pass

    def _bind_attribute(self, target: ast.Attribute, value: Any) -> None:
        holder = self.value(target.value)
        if isinstance(holder, Instance | Class):
            holder.values[target.attr] = value
            return
        owner, path = self.owned(target)
        if owner is not None:
            owner.values[path] = value

    def _bind_item(self, target: ast.Subscript, value: Any) -> None:
        key = self.value(target.slice)
        if isinstance(target.value, ast.Attribute):
            owner, path = self.owned(target.value)
            items = owner.values.setdefault(path, {}) if owner is not None else self.value(target.value)
        else:
            items = self.value(target.value)
        if isinstance(items, dict) and isinstance(key, str | int):
            cast("dict[Any, Any]", items)[key] = value

    def owned(self, node: ast.Attribute) -> tuple[Call | None, str]:
        """The v1 object at the root of an attribute chain, and the attributes after it, dotted."""
        path: list[str] = []
        current: ast.expr = node
        root: Any = None
        while isinstance(current, ast.Attribute):
            path.insert(0, current.attr)
            current = current.value
            root = self.value(current) if not isinstance(current, ast.Attribute) else self._instance(current)
            if isinstance(root, Call):
                break
        if isinstance(root, Choice):
            root = next((one for one in root.values if isinstance(one, Call)), None)
        if not isinstance(root, Call):
            return None, ""
        # A part that is an object of its own (a registry, conda dependencies) holds the rest.
        for end in range(len(path) - 1, 0, -1):
            part = root.values.get(".".join(path[:end]))
            if isinstance(part, Call):
                return part, ".".join(path[end:])
        return root, ".".join(path)

    def _instance(self, node: ast.Attribute) -> Any:
        """`self.env` of `self.env.docker.base_image`: an object that an object of the script holds."""
        holder = self.value(node.value)
        return holder.values.get(node.attr) if isinstance(holder, Instance | Class) else None

    def attribute(self, node: ast.Attribute) -> Any:
        if node.attr in CONSTANTS:
            return CONSTANTS[node.attr]
        holder = self.value(node.value)
        return apply(lambda one: self._attribute_of(node, one), holder)

    def _attribute_of(self, node: ast.Attribute, holder: Any) -> Any:
        if isinstance(holder, Instance):
            return self.member(holder, node.attr, node)
        if isinstance(holder, Class):
            return holder.values.get(node.attr, self.unknown(node))
        if isinstance(holder, str):
            found = library.text_attribute(holder, node.attr)
            return self.unknown(node) if found is None else found
        owner, path = (holder, node.attr) if isinstance(holder, Call) else (None, "")
        if owner is None and isinstance(node.value, ast.Attribute):
            owner, path = self.owned(node)
        if owner is None:
            return self.unknown(node)
        path = ATTRIBUTES.get((owner.owner, path), path)
        if path in owner.values:
            return owner.values[path]
        if owner.owner.startswith("Environment") and path == "python.conda_dependencies":
            made = Call("CondaDependencies", self.where(node))
            return owner.values.setdefault(path, made)
        return self.unknown(node)

    def member(self, holder: Instance, name: str, node: ast.expr) -> Any:
        """An attribute or method of an object of the script's own classes."""
        if name in holder.values:
            return holder.values[name]
        found = holder.of.values.get(name, MISSING) if holder.of is not None else MISSING
        if isinstance(found, Function):
            return Function(found.node, found.scope, found.cell, holder)
        if found is MISSING:
            return self.unknown(node)
        return found

    def dotted(self, node: ast.expr) -> tuple[str, ...]:
        """A name in full, imports resolved: `M.register` is ("azureml", "core", "model", "Model", "register")."""
        path: list[str] = []
        while isinstance(node, ast.Attribute):
            path.insert(0, node.attr)
            node = node.value
        if not isinstance(node, ast.Name):
            return ()
        found = self.scope.get(node.id)
        if isinstance(found, Imported):
            return (*found.path, *path)
        # A name that the script binds itself is an object, not a class of v1's.
        return (node.id, *path) if found is MISSING else ("", node.id, *path)

    def item(self, node: ast.Subscript) -> Any:
        key = self.value(node.slice)
        if self.dotted(node.value)[-2:] == ("os", "environ") and isinstance(key, str):
            return Variable(key)
        held = node.value.attr if isinstance(node.value, ast.Attribute) else ""
        kind = _HELD.get(held)
        holder = self.value(node.value)
        if kind is not None and isinstance(holder, Unknown) and isinstance(key, str | Unknown):
            return Call(kind, self.where(node), {"name": key})

        def item(items: Any, one: Any) -> Any:
            return self._item_of(node, items, one)

        return apply_all(item, holder, key)

    def _item_of(self, node: ast.Subscript, items: Any, key: Any) -> Any:
        if isinstance(items, Call) and items.owner in ("Model", "Image", "Webservice"):
            return items  # One of `Model.list(ws, name=…)`.
        if isinstance(items, Parser | OpenFile | Function):
            return self.unknown(node)
        if isinstance(items, dict) and isinstance(key, str | int):
            return cast("dict[Any, Any]", items).get(key, self.unknown(node))
        try:
            if isinstance(items, list | str) and isinstance(key, int):
                return cast("Any", items)[key]
            if isinstance(items, list | str) and isinstance(node.slice, ast.Slice):
                return cast("Any", items)[self._slice(node.slice)]
        except (IndexError, TypeError, ValueError):
            return self.unknown(node)
        return self.unknown(node, items.known if isinstance(items, Unknown) else "")

    def _slice(self, node: ast.Slice) -> slice:
        bounds = [self.value(one) if one is not None else None for one in (node.lower, node.upper, node.step)]
        if not all(one is None or isinstance(one, int) for one in bounds):
            raise TypeError
        return slice(*bounds)
