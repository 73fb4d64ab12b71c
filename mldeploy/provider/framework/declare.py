"""Declarations: each property of a resource is written once, with its type, its rules and what it is for.

A declaration is a class of annotated properties::

    class GateFields(Golden, token="mldeploy:service:Gate"):
        \"\"\"Golden requests that a new replica must answer before traffic moves to it.\"\"\"

        replica: In[str] = field("The replica's id.", replaces=False)
        passed: Out[int] = output("How many requests were answered as expected.")

The provider checks and decodes a request's values with it, and its code reads `inputs.replica`, a `str`. The package's
schema is made from it. A class of `components.sdk` that inherits from it is the typed Pulumi resource: its constructor
takes a `pulumi.Input[str]`, and its attribute is a `pulumi.Output[str]`. Pulumi itself is not imported here.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import (
    TYPE_CHECKING,
    Annotated,
    Any,
    ClassVar,
    Generic,
    Literal,
    Self,
    TypeAlias,
    TypeVar,
    cast,
    dataclass_transform,
    get_args,
    get_origin,
    get_type_hints,
    overload,
)

from mldeploy.values.property_value import Unknown

Kind = Literal["string", "integer", "number", "boolean", "object", "array", "map"]
_PYTHON: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "object": (dict,),
    "map": (dict,),
    "array": (list,),
}
_SCALARS: dict[Any, Kind] = {str: "string", int: "integer", float: "number", bool: "boolean"}
_REQUIRED: Any = object()
T = TypeVar("T")
S = TypeVar("S")


# --- in a declaration -------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Property(Generic[T, S]):
    """What a declaration says of a property besides its type. ``T``: how it reads; ``S``: what a program may set."""

    description: str
    default: Any = None
    """What it reads as when nobody gave it."""
    required: bool = False
    secret: bool = False
    replaces: bool = True
    """Whether a change makes a new resource; otherwise it is updated in place."""
    role: Literal["input", "computed", "output"] = "input"
    """``computed``: an input that ``check`` sets, and nobody else may."""
    minimum: float | None = None
    maximum: float | None = None

    if TYPE_CHECKING:  # at run time, values are plain attributes of the instance

        @overload
        def __get__(self, obj: None, owner: type) -> Self: ...
        @overload
        def __get__(self, obj: Resource, owner: type) -> Output[T]: ...
        @overload
        def __get__(self, obj: object, owner: type) -> T: ...
        def __get__(self, obj: object, owner: type) -> Any: ...
        def __set__(self, obj: object, value: S) -> None: ...


def field(
    description: str,
    *,
    default: Any = _REQUIRED,
    secret: bool = False,
    replaces: bool = True,
    minimum: float | None = None,
    maximum: float | None = None,
) -> Any:
    """An input; required when it has no ``default``."""
    return Property[Any, Any](
        description=description,
        default=None if default is _REQUIRED else default,
        required=default is _REQUIRED,
        secret=secret,
        replaces=replaces,
        minimum=minimum,
        maximum=maximum,
    )


def computed(description: str, *, replaces: bool = True, init: Literal[False] = False) -> Any:
    """An input that ``check`` sets: a digest, say."""
    del init  # it tells type checkers that no constructor takes it
    return Property[Any, Any](description=description, replaces=replaces, role="computed")


def output(
    description: str, *, secret: bool = False, default: Any = None, init: Literal[False] = False
) -> Any:
    """An output. ``default``: what it is in a state of before there was one."""
    del init
    return Property[Any, Any](description=description, secret=secret, default=default, role="output")


def positional(*, kw_only: Literal[False] = False) -> Any:
    """What tells type checkers that a constructor's parameter needs no name."""
    del kw_only


if TYPE_CHECKING:
    from pulumi import Input, Output, Resource

    In: TypeAlias = Property[T, Input[T]]
    Opt: TypeAlias = Property[T | None, Input[T | None] | None]
    Or: TypeAlias = Property[T, Input[T | None] | None]
    Texts: TypeAlias = Property[Mapping[str, str], Input[Mapping[str, Input[str]]] | None]
    One: TypeAlias = Property[T | None, Input[T | Mapping[str, Any]] | None]
    Many: TypeAlias = Property[Sequence[T], Input[Sequence[T | Mapping[str, Any]]] | None]
    Named: TypeAlias = Property[Mapping[str, T], Input[Mapping[str, T | Mapping[str, Any]]] | None]
    Out: TypeAlias = Property[T, Any]
else:

    class In(Generic[T]):
        """A required input."""

    class Opt(Generic[T]):
        """An input that may be absent: None."""

    class Or(Generic[T]):
        """An input with a default."""

    class One(Generic[T]):
        """A record that may be absent."""

    class Many(Generic[T]):
        """A list of records."""

    class Named(Generic[T]):
        """Records by name."""

    class Out(Generic[T]):
        """An output, or an input that ``check`` computes."""

    Texts = In[Mapping[str, str]]
Json: TypeAlias = dict[str, Any]
"""An object of any shape."""


@dataclass(frozen=True)
class Between:
    """The least and the greatest number that a list or a map may hold: ``Annotated[int, Between(1, 100)]``."""

    minimum: float
    maximum: float


@dataclass_transform(kw_only_default=True, field_specifiers=(field, computed, output, positional))
class Declaration:
    """Values by their declared names; those of a resource, or a record within them. They are never changed.

    Whether given by a program or decoded from a request, :meth:`plain` has them as they came.
    """

    token: ClassVar[str] = ""
    """Of a resource or function: its type's name in a program's state."""
    confidential: ClassVar[bool] = False
    """Of a record: whether a message must not show what stands in its place."""

    def __init_subclass__(cls, token: str = "", secret: bool = False) -> None:
        cls.token = token or cls.token
        cls.confidential = secret or cls.confidential

    def __init__(self, **values: Any) -> None:
        self._fill({name: value for name, value in values.items() if value is not None})

    @classmethod
    def decode(cls, values: Mapping[str, Any]) -> Self:
        """``values`` without secrets' wrappers; what is not known yet stays :data:`UNKNOWN`."""
        made = cls.__new__(cls)
        made._fill(values)
        return made

    def _fill(self, values: Mapping[str, Any]) -> None:
        inside = vars(self)
        inside["_values"] = values
        for name, declared in fields_of(type(self)).items():
            inside[name] = declared.decode(values.get(name))

    def __setattr__(self, name: str, value: Any) -> None:
        raise AttributeError(f"{type(self).__name__}.{name} cannot be set: declared values are never changed")

    def plain(self) -> dict[str, Any]:
        """The values as they came: only what was given, records as dictionaries."""
        return {name: plain(value) for name, value in vars(self)["_values"].items()}


def plain(value: Any) -> Any:
    """``value`` with its records as dictionaries."""
    if isinstance(value, Declaration):
        return value.plain()
    if isinstance(value, dict):
        return {name: plain(item) for name, item in cast("dict[str, Any]", value).items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in cast("Sequence[Any]", value)]
    return value


def describe(declaration: type[Declaration]) -> str:
    """The declaration's own docstring, on one line."""
    return " ".join((inspect.getdoc(declaration) or "").split())


def properties_of(declaration: type) -> dict[str, Property[Any, Any]]:
    """The properties by name, those of its bases first."""
    return {
        name: value
        for base in reversed(declaration.__mro__)
        for name, value in vars(base).items()
        if isinstance(value, Property)
    }


# --- what follows from it ---------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Field:
    """A property with its type: checks and decodes values."""

    about: Property[Any, Any]
    kind: Kind
    choices: tuple[str, ...] = ()
    items: Field | None = None
    """What an array or a map holds."""
    record: type[Declaration] | None = None
    """The properties of an object."""

    def decode(self, value: Any) -> Any:
        """The value as code reads it: records where they are declared, the default where nothing is."""
        if value is None:
            return self.about.default
        if self.record is not None and isinstance(value, dict):
            return self.record.decode(cast("dict[str, Any]", value))
        if self.items is not None and self.items.record is not None:
            if isinstance(value, list):
                return [self.items.decode(item) for item in cast("list[Any]", value)]
            if isinstance(value, dict):
                return {name: self.items.decode(item) for name, item in cast("dict[str, Any]", value).items()}
        return value

    def faults(self, value: Any, path: str) -> list[tuple[str, str]]:
        """(property path, what is wrong and what is allowed) of every fault in a value without secrets."""
        if isinstance(value, Unknown):
            return []
        right = isinstance(value, _PYTHON[self.kind]) and (
            self.kind == "boolean" or not isinstance(value, bool)
        )
        if not right:
            return [(path, f"must be {_article(self.kind)}, not {_show(value, self.about.secret)}")]
        if self.choices and value not in self.choices:
            return [(path, f"is {value!r}; allowed: {', '.join(self.choices)}")]
        if self.kind in ("integer", "number"):
            return self._range_faults(value, path)
        return list(self._inner_faults(value, path))

    def _range_faults(self, value: float, path: str) -> list[tuple[str, str]]:
        low, high = self.about.minimum, self.about.maximum
        if (low is None or value >= low) and (high is None or value <= high):
            return []
        allowed = f"at least {low:g}" if low is not None else ""
        allowed += (" and " if allowed and high is not None else "") + (
            f"at most {high:g}" if high is not None else ""
        )
        return [(path, f"is {value}; allowed: {allowed}")]

    def _inner_faults(self, value: Any, path: str) -> Iterator[tuple[str, str]]:
        if self.record is not None:
            yield from check_fields(fields_of(self.record), cast("dict[str, Any]", value), path)
        elif self.items and self.kind == "array":
            for index, item in enumerate(cast("list[Any]", value)):
                yield from self.items.faults(item, f"{path}[{index}]")
        elif self.items:
            for key, item in cast("dict[str, Any]", value).items():
                yield from self.items.faults(item, f"{path}.{key}")


def check_fields(
    fields: Mapping[str, Field], values: Mapping[str, Any], path: str = ""
) -> list[tuple[str, str]]:
    """Every fault of ``values`` against their fields: unknown names, missing ones, wrong values."""
    prefix = f"{path}." if path else ""
    settable = [name for name, declared in fields.items() if declared.about.role == "input"]
    found = [
        (f"{prefix}{name}", f"is no property here; allowed: {', '.join(settable)}")
        for name in values
        if name not in fields or fields[name].about.role == "output"
    ]
    for name, declared in fields.items():
        value = values.get(name)
        if value is None:
            if declared.about.required:
                found.append((f"{prefix}{name}", f"is required: {declared.about.description}"))
        elif declared.about.role != "output":
            found += declared.faults(value, f"{prefix}{name}")
    return found


@functools.cache
def fields_of(declaration: type[Declaration]) -> dict[str, Field]:
    """The fields of a declaration by name, those of its bases first."""
    hints = get_type_hints(declaration, include_extras=True)
    return {name: _field(about, hints[name]) for name, about in properties_of(declaration).items()}


def _field(about: Property[Any, Any], hint: Any) -> Field:
    """The field of an annotation such as ``In[str]``."""
    marker, (inner,) = get_origin(hint), get_args(hint)
    if marker is Many:
        inner = Sequence[inner]
    elif marker is Named:
        inner = Mapping[str, inner]
    return _typed(about, inner)


def _typed(about: Property[Any, Any], hint: Any) -> Field:
    """The field of a type that a value has."""
    if hint in _SCALARS:
        return Field(about=about, kind=_SCALARS[hint])
    if isinstance(hint, type) and issubclass(hint, Declaration):
        return Field(about=about, kind="object", record=hint)
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is Literal:
        return Field(about=about, kind="string", choices=arguments)
    if origin is dict:
        return Field(about=about, kind="object")
    if origin in (Sequence, Mapping):
        held = arguments[-1]
        return Field(
            about=about,
            kind="array" if origin is Sequence else "map",
            items=None if held is Any else _item(held),
        )
    raise TypeError(f"no property can be a {hint}")


def _item(hint: Any) -> Field:
    secret = isinstance(hint, type) and issubclass(hint, Declaration) and hint.confidential
    minimum = maximum = None
    if get_origin(hint) is Annotated:
        hint, between = get_args(hint)
        minimum, maximum = between.minimum, between.maximum
    return _typed(Property[Any, Any](description="", secret=secret, minimum=minimum, maximum=maximum), hint)


def _article(kind: str) -> str:
    return {"integer": "a whole number", "object": "an object", "array": "a list"}.get(kind, f"a {kind}")


def _show(value: Any, secret: bool) -> str:
    if secret or isinstance(value, dict | list):
        return f"a {type(cast('object', value)).__name__}"
    return repr(value)
