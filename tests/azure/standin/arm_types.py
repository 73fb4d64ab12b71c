"""Azure's request types as data: what a request body may hold.

The files are those of the public repository Azure/bicep-types-az: a list of types that point at each other by ``#/N``.
They are read from the folder in ``AZURE_TYPES``, by default ``../shared/azure-types`` beside the checkout. Without them
:func:`load` returns ``None`` and only the service's rules are checked: :func:`available` says so.
"""

from __future__ import annotations

import functools
import json
import os
import re
from pathlib import Path
from typing import Any

from mldeploy.values.property_value import UNKNOWN, Secret, Unknown, contains_unknowns, reveal

REQUIRED, READ_ONLY = 1, 2
_ENVELOPE = frozenset({"id", "name", "type", "apiVersion", "systemData"})
_PLAIN_SECRET = "is sensitive and must be a secret, so that it is not plain in the state"
# Patterns of the published types that the services themselves do not follow.
_WRONG_PATTERNS = frozenset({("Route", "path")})


def folder() -> Path:
    """Where the type files are looked for."""
    chosen = os.environ.get("AZURE_TYPES")
    return Path(chosen) if chosen else Path(__file__).resolve().parents[4] / "shared" / "azure-types"


def available() -> bool:
    """Whether bodies can be checked in full depth."""
    return folder().is_dir()


@functools.cache
def load(file: str, resource: str) -> BodyType | None:
    """The body type of ``Microsoft.X/y@version`` in ``file``, or ``None`` when the types are not on this machine.

    Raises:
        KeyError: the file has no such resource (a mistake in the table of the stand-in).
    """
    path = folder() / f"{file}.json"
    if not path.is_file():
        return None
    types = _read(path)
    for entry in types:
        if entry["$type"] == "ResourceType" and entry["name"].lower() == resource.lower():
            return BodyType(types, _follow(types, entry["body"]))
    raise KeyError(f"{path} has no {resource}")


@functools.cache
def _read(path: Path) -> list[dict[str, Any]]:
    return json.loads(path.read_text("utf-8"))


def _follow(types: list[dict[str, Any]], reference: dict[str, str]) -> dict[str, Any]:
    return types[int(reference["$ref"].removeprefix("#/"))]


def normal(name: str) -> str:
    """A property name without case and underscores: azure-native says ``applicationType`` for ``Application_Type``."""
    return name.replace("_", "").lower()


class BodyType:
    """The type of one resource's request body."""

    def __init__(self, types: list[dict[str, Any]], body: dict[str, Any]) -> None:
        self._types = types
        self._body = body

    # --- from azure-native's flattened inputs to the body that is sent -------------------------------------

    def unflatten(self, inputs: dict[str, Any]) -> dict[str, Any]:
        """The request body for the inputs of azure-native, which lifts most ``properties`` envelopes."""
        return self._object(inputs, self._body)

    def _object(self, value: dict[str, Any], type_: dict[str, Any]) -> dict[str, Any]:
        known, extra = self._properties(type_, value)
        names = {normal(name): name for name in known}
        inner_type = _follow(self._types, known["properties"]["type"]) if "properties" in known else None
        lifted = inner_type is not None and inner_type["$type"] != "AnyType" and "properties" not in value
        inner, _ = self._properties(inner_type, value) if lifted and inner_type else ({}, None)
        inner_names = {normal(name): name for name in inner}
        made: dict[str, Any] = {}
        for key, item in value.items():
            own, below = names.get(normal(key)), inner_names.get(normal(key))
            if own and not (below and known[own]["flags"] & READ_ONLY):
                made[own] = self._value(item, _follow(self._types, known[own]["type"]), own)
            elif below:
                made.setdefault("properties", {})[below] = item
            elif extra:
                made[key] = self._value(item, _follow(self._types, extra), key)
            else:
                made[key] = item
        if lifted and isinstance(made.get("properties"), dict):
            made["properties"] = self._object(made["properties"], inner_type)
        return made

    def _value(self, value: Any, type_: dict[str, Any], name: str = "") -> Any:
        kind = type_["$type"]
        if isinstance(value, Secret):
            return Secret(self._value(value.value, type_, name))
        if name == "userAssignedIdentities" and isinstance(value, list):
            if contains_unknowns(value):
                return UNKNOWN
            named = [reveal(identity) for identity in value]
            return {name: {} for name in named} if all(isinstance(name, str) for name in named) else value
        if kind == "ArrayType" and isinstance(value, list):
            return [self._value(item, _follow(self._types, type_["itemType"])) for item in value]
        if kind in ("ObjectType", "DiscriminatedObjectType") and isinstance(value, dict):
            return self._object(value, type_)
        return value

    def _properties(self, type_: dict[str, Any], value: Any) -> tuple[dict[str, Any], dict[str, str] | None]:
        if type_["$type"] == "DiscriminatedObjectType":
            element = self._element(type_, value)
            return {**type_["baseProperties"], **(element["properties"] if element else {})}, None
        return type_.get("properties", {}), type_.get("additionalProperties")

    def _element(self, type_: dict[str, Any], value: Any) -> dict[str, Any] | None:
        chosen = reveal(value.get(type_["discriminator"])) if isinstance(value, dict) else None
        for name, reference in type_["elements"].items():
            if isinstance(chosen, str) and name.lower() == chosen.lower():
                return _follow(self._types, reference)
        return None

    # --- checking ---------------------------------------------------------------------------------------

    def faults(self, body: dict[str, Any]) -> list[tuple[str, str]]:
        """(path in the body, what is wrong) for everything the API's types refuse. Unknown values pass."""
        found: list[tuple[str, str]] = []
        self._check(body, self._body, "", found, secret=False)
        return found

    def _check(
        self, value: Any, type_: dict[str, Any], path: str, found: list[tuple[str, str]], *, secret: bool
    ) -> None:
        if isinstance(value, Secret):
            value, secret = value.value, True
        if isinstance(value, Unknown) and type_.get("sensitive") and not secret:
            found.append((path, _PLAIN_SECRET))
        if isinstance(value, Unknown) or value is None:
            return
        kind = type_["$type"]
        if kind in ("ObjectType", "DiscriminatedObjectType"):
            self._check_object(value, type_, path, found, secret=secret)
        elif kind == "ArrayType":
            if not isinstance(value, list):
                found.append((path, f"must be a list, not {_show(value)}"))
                return
            if len(value) > type_.get("maxLength", len(value)) or len(value) < type_.get("minLength", 0):
                found.append((path, f"has {len(value)} entries, allowed: at most {type_.get('maxLength')}"))
            for index, item in enumerate(value):
                self._check(
                    item, _follow(self._types, type_["itemType"]), f"{path}[{index}]", found, secret=secret
                )
        else:
            found += [(path, reason) for reason in self._scalar(value, type_, secret=secret)]

    def _check_object(
        self, value: Any, type_: dict[str, Any], path: str, found: list[tuple[str, str]], *, secret: bool
    ) -> None:
        if not isinstance(value, dict):
            found.append((path, f"must be an object, not {_show(value)}"))
            return
        if type_["$type"] == "DiscriminatedObjectType" and self._element(type_, value) is None:
            key = type_["discriminator"]
            if not isinstance(reveal(value.get(key)), Unknown):
                allowed = ", ".join(type_["elements"])
                found.append((f"{path}.{key}", f"is {value.get(key)!r}; allowed: {allowed}"))
            return
        known, extra = self._properties(type_, value)
        prefix = f"{path}." if path else ""
        top = not path
        for name, declared in known.items():
            if not (top and name in _ENVELOPE) and declared["flags"] & REQUIRED and value.get(name) is None:
                found.append((f"{prefix}{name}", "is required"))
        for name, item in value.items():
            declared = known.get(name)
            if declared is None and extra is None:
                found.append((f"{prefix}{name}", f"is no property of {type_['name']}"))
            elif (
                declared
                and declared["flags"] & READ_ONLY
                and not (top and name in _ENVELOPE)
                and item is not None
            ):
                found.append((f"{prefix}{name}", "is read-only"))
            elif (type_["name"], name) not in _WRONG_PATTERNS:
                reference = declared["type"] if declared else extra
                assert reference is not None
                self._check(item, _follow(self._types, reference), f"{prefix}{name}", found, secret=secret)

    def _scalar(self, value: Any, type_: dict[str, Any], *, secret: bool) -> list[str]:
        kind = type_["$type"]
        if kind == "AnyType":
            return []
        if kind == "BooleanType":
            return [] if isinstance(value, bool) else [f"must be true or false, not {_show(value)}"]
        if kind == "IntegerType":
            return _number_faults(value, type_)
        if kind in ("StringType", "StringLiteralType"):
            return _string_faults(value, type_, secret=secret)
        if kind == "UnionType":
            return self._union_faults(value, type_, secret=secret)
        raise TypeError(f"a type of kind {kind} is not expected here")

    def _union_faults(self, value: Any, type_: dict[str, Any], *, secret: bool) -> list[str]:
        elements = [_follow(self._types, reference) for reference in type_["elements"]]
        literals = [element["value"] for element in elements if element["$type"] == "StringLiteralType"]
        if literals:
            if isinstance(value, str) and value.lower() in {literal.lower() for literal in literals}:
                return []
            return [f"is {_show(value)}; allowed: {', '.join(literals)}"]
        attempts: list[list[tuple[str, str]]] = []
        for element in elements:
            attempt: list[tuple[str, str]] = []
            self._check(value, element, "", attempt, secret=secret)
            attempts.append(attempt)
        return [] if any(not attempt for attempt in attempts) else [reason for _, reason in attempts[0]]

    # --- secrets ----------------------------------------------------------------------------------------

    def sensitive(self, body: dict[str, Any]) -> list[str]:
        """Paths of the body that the types mark as sensitive and that are set."""
        found: list[str] = []
        self._sensitive(body, self._body, "", found)
        return found

    def _sensitive(self, value: Any, type_: dict[str, Any], path: str, found: list[str]) -> None:
        value = value.value if isinstance(value, Secret) else value
        kind = type_["$type"]
        if kind == "ArrayType" and isinstance(value, list):
            for index, item in enumerate(value):
                self._sensitive(item, _follow(self._types, type_["itemType"]), f"{path}[{index}]", found)
        elif kind in ("ObjectType", "DiscriminatedObjectType") and isinstance(value, dict):
            if type_.get("sensitive"):
                found.append(path)
            known, extra = self._properties(type_, value)
            for name, item in value.items():
                reference = known[name]["type"] if name in known else extra
                if reference:
                    here = f"{path}.{name}" if path else name
                    self._sensitive(item, _follow(self._types, reference), here, found)
        elif type_.get("sensitive") and value is not None:
            found.append(path)


def _number_faults(value: Any, type_: dict[str, Any]) -> list[str]:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return [f"must be a number, not {_show(value)}"]
    low, high = type_.get("minValue"), type_.get("maxValue")
    if (low is not None and value < low) or (high is not None and value > high):
        return [f"is {value}; allowed: {low} to {high}"]
    return []


def _string_faults(value: Any, type_: dict[str, Any], *, secret: bool) -> list[str]:
    if not isinstance(value, str):
        return [f"must be a string, not {_show(value)}"]
    if type_["$type"] == "StringLiteralType":
        return [] if value.lower() == type_["value"].lower() else [f"is {value!r}; allowed: {type_['value']}"]
    found: list[str] = []
    if type_.get("sensitive") and not secret:
        found.append(_PLAIN_SECRET)
    if not type_.get("minLength", 0) <= len(value) <= type_.get("maxLength", len(value)):
        found.append(
            f"has {len(value)} characters; allowed: {type_.get('minLength')} to {type_.get('maxLength')}"
        )
    if "pattern" in type_ and not re.search(type_["pattern"], value):
        found.append(f"is {value!r}, which does not match {type_['pattern']}")
    return found


def _show(value: Any) -> str:
    return repr(value) if isinstance(value, str | int | float | bool) else f"a {type(value).__name__}"
