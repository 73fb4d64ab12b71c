"""The components' part of the package's schema, from their classes."""

from __future__ import annotations

import inspect
from typing import Any, get_args

from pulumi.provider.experimental.analyzer import Analyzer

from components.base import Component
from components.package import annotations
from components.package.catalog import importable

_SIMPLE = {str: "string", int: "integer", float: "number", bool: "boolean"}
_ANY = {"$ref": "pulumi.json#/Any"}


class _Types:
    """Collects the records that arguments are made of."""

    def __init__(self) -> None:
        self.found: dict[str, Any] = {}
        self._texts = Analyzer("mldeploy")  # docstrings of fields are in the source only

    def described(self, owner: type, name: str, annotation: Any, *, inputs: bool) -> dict[str, Any]:
        kind, wrapped = annotations.without_wrapping(annotation)
        made = self.type(kind, inputs=inputs)
        if inputs and not wrapped:
            made["plain"] = True
        bases = (one for one in owner.__mro__ if name in inspect.get_annotations(one))
        if text := self._texts.get_docstring(next(bases, owner), name):
            made["description"] = inspect.cleandoc(text)
        if annotations.is_choice(kind):
            choices = " | ".join(f"`{one}`" for one in get_args(kind))
            made["description"] = f"{made.get('description', '')} One of {choices}.".strip()
        return made

    def type(self, annotation: Any, *, inputs: bool) -> dict[str, Any]:
        kind, _ = annotations.without_wrapping(annotation)
        if kind in _SIMPLE or annotations.is_choice(kind):
            return {"type": _SIMPLE.get(kind, "string")}
        shape, inner = annotations.items(kind)
        if shape:
            within = "items" if shape == "array" else "additionalProperties"
            return {
                "type": "array" if shape == "array" else "object",
                within: self.type(inner, inputs=inputs),
            }
        if not annotations.is_record(kind):
            return dict(_ANY)
        token = f"mldeploy:index:{kind.__name__}"
        if token not in self.found:
            self.found[token] = {}  # for records that hold themselves
            self.found[token] = {
                "type": "object",
                "description": inspect.getdoc(kind) or "",
                **self.record(kind, "properties", "required"),
            }
        return {"$ref": f"#/types/{token}"}

    def record(self, kind: type, properties: str, required: str) -> dict[str, Any]:
        given = annotations.given(kind)
        return {
            properties: {
                annotations.camel(name): self.described(kind, name, annotation, inputs=True)
                for name, (annotation, _) in given.items()
            },
            required: [annotations.camel(name) for name, (_, needed) in given.items() if needed],
        }


def _component(one: type[Component], types: _Types) -> dict[str, Any]:
    outputs = annotations.outputs(one)
    return {
        "isComponent": True,
        "description": inspect.getdoc(one) or "",
        **types.record(annotations.arguments(one), "inputProperties", "requiredInputs"),
        "properties": {
            annotations.camel(name): types.described(one, name, annotation, inputs=False)
            for name, annotation in outputs.items()
        },
        "required": [
            annotations.camel(name)
            for name, annotation in outputs.items()
            if type(None) not in {part for outer in get_args(annotation) for part in get_args(outer)}
        ],
    }


def components() -> tuple[dict[str, Any], dict[str, Any]]:
    """Resources and types of the components whose packages are installed."""
    types = _Types()
    return {token: _component(one, types) for token, one in importable().items()}, types.found
