"""What a component takes, by the annotations of its arguments: for the schema, and to make them from a message."""

from __future__ import annotations

import inspect
import types
from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import MISSING, fields, is_dataclass
from functools import cache
from typing import Any, ClassVar, ForwardRef, Literal, Union, cast, get_args, get_origin

import pulumi
from pydantic import BaseModel

from components.base import Component

_UNIONS = (Union, types.UnionType)


def camel(name: str) -> str:
    """`model_name` as other languages write it, `modelName`."""
    first, *rest = name.split("_")
    return first + "".join(word[:1].upper() + word[1:] for word in rest)


@cache
def hints(kind: type) -> dict[str, Any]:
    """The annotations of a class of arguments and of its bases, names resolved."""
    found: dict[str, Any] = {}
    for base in reversed(kind.__mro__):
        found |= inspect.get_annotations(base, eval_str=True)
    return found


def arguments(component: type[Component]) -> type:
    """The class of a component's arguments."""
    return inspect.get_annotations(cast("Any", component).__init__, eval_str=True)["args"]


def outputs(component: type[Component]) -> dict[str, Any]:
    """The annotations of a component's outputs."""
    found = inspect.get_annotations(component, eval_str=True)
    return {name: found[name] for name in sorted(component.output_names())}


def given(kind: type) -> dict[str, tuple[Any, bool]]:
    """Annotation of each argument, and whether it has to be given."""
    found = hints(kind)
    return {
        one.name: (found[one.name], one.default is MISSING and one.default_factory is MISSING)
        for one in fields(cast("Any", kind))
        if get_origin(found[one.name]) is not ClassVar
    }


def without_wrapping(annotation: Any) -> tuple[Any, bool]:
    """What is in `pulumi.Input`, `pulumi.Output` and `| None`; and whether it may be an output."""
    origin, parts = get_origin(annotation), [part for part in get_args(annotation) if part is not type(None)]
    if origin is pulumi.Output:
        return without_wrapping(parts[0])[0], True
    if origin in _UNIONS:
        # `pulumi.Input` names the output by a text that is known to Pulumi only.
        outputs_of = [p for p in parts if isinstance(p, ForwardRef) or get_origin(p) is pulumi.Output]
        plain = [p for p in parts if p not in outputs_of and get_origin(p) is not Awaitable]
        inner, wrapped = without_wrapping(plain[0]) if len(plain) == 1 else (Any, False)
        return inner, wrapped or bool(outputs_of)
    return annotation, False


def items(annotation: Any) -> tuple[str, Any]:
    """("array" or "map", annotation of what is in it); ("", None) for what is no collection."""
    origin, parts = get_origin(annotation) or annotation, get_args(annotation)
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return "map", parts[1] if len(parts) == 2 else Any
    if isinstance(origin, type) and issubclass(origin, Sequence) and not issubclass(origin, str):
        return "array", parts[0] if parts else Any
    return "", None


def is_record(annotation: Any) -> bool:
    """Whether it is a class with fields of its own."""
    return isinstance(annotation, type) and is_dataclass(annotation)


def made_of(annotation: Any, value: Any, where: str = "") -> Any:
    """The value as Python's constructors take it: records from mappings, names in Python's spelling.

    An output stays one; what is in it is what the resources below take.

    Raises:
        ValueError: something that has to be given is missing, or nobody knows what it is.
    """
    kind, _ = without_wrapping(annotation)
    if value is None or isinstance(value, pulumi.Output):
        return cast("Any", value)
    shape, inner = items(kind)
    if shape == "array" and isinstance(value, Sequence) and not isinstance(value, str):
        many = [made_of(inner, one, f"{where}[{n}]") for n, one in enumerate(cast("Sequence[Any]", value))]
        return tuple(many) if (get_origin(kind) or kind) is tuple else many
    if shape == "map" and isinstance(value, Mapping):
        mapping = cast("Mapping[str, Any]", value)
        return {key: made_of(inner, one, f"{where}.{key}") for key, one in mapping.items()}
    if is_record(kind):
        return record(kind, value, where)
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return kind.model_validate(value)
    whole = isinstance(value, float) and value.is_integer()  # a message has no whole numbers
    return int(value) if kind is int and whole else value


def record(kind: type, value: Any, where: str = "") -> Any:
    """An object of a class of arguments. Raises ValueError."""
    if not isinstance(value, Mapping):
        raise ValueError(f"{where or 'arguments'}: expected a mapping, got {value!r}")
    wanted = given(kind)
    found = dict(cast("Mapping[str, Any]", value))
    made: dict[str, Any] = {}
    for name, (annotation, required) in wanted.items():
        place = f"{where}.{camel(name)}".lstrip(".")
        one = found.pop(camel(name), None)
        if one is None and required:
            raise ValueError(f"{place}: it has to be given")
        if one is not None:
            made[name] = made_of(annotation, one, place)
    if found:
        allowed = ", ".join(camel(name) for name in wanted)
        raise ValueError(f"{where or 'arguments'}: no {', '.join(sorted(found))}; allowed: {allowed}")
    return kind(**made)


def is_choice(annotation: Any) -> bool:
    """Whether it is one of a few texts."""
    return get_origin(annotation) is Literal and all(isinstance(one, str) for one in get_args(annotation))
