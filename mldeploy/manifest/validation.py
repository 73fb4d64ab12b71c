"""From plain values to models, entry by entry, with pydantic's errors in the words of this project."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Annotated, Any, Generic, TypeVar, cast, get_args, get_origin

from annotated_types import Ge, Le
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from mldeploy.manifest.advice import ADVICE
from mldeploy.manifest.errors import hint, shown, suggestion
from mldeploy.manifest.nodes import Path
from mldeploy.manifest.secret_forms import is_secret_name

S = TypeVar("S", bound=BaseModel)
_PLUGINS = "PYDANTIC_DISABLE_PLUGINS"


@dataclass(frozen=True)
class Fault:
    """Something wrong at a path of the merged manifest."""

    path: Path
    message: str
    removable: bool = False
    """Whether an overlay can put it right by setting the key to null."""


@dataclass
class Checked(Generic[S]):
    """An entry after validation."""

    value: S | None
    """The model; where fields were faulty, one made from the others if that was possible."""
    faults: list[Fault] = field(default_factory=list[Fault])
    left_out: set[str] = field(default_factory=set[str])
    """The faulty keys that it was made without."""


def validate(kind: type[S], raw: Any, path: Path) -> Checked[S]:
    """Validate ``raw`` as a ``kind``.

    Returns:
        The model and the faults. With faults in optional keys the model is made without those, so that rules
        over several fields can still be checked and everything wrong is told at once.
    """
    if not isinstance(raw, dict):
        return Checked(None, [Fault(path, f"must be a mapping, not {_kind_of(raw)}")])
    given = cast("dict[str, Any]", raw)
    _ready(kind)
    try:
        return Checked(kind.model_validate(given))
    except ValidationError as error:
        details = error.errors(include_url=False)
        meant = _meant(kind, details)
        faults = [
            Fault(path + d["loc"], _message(kind, d))
            for d in details
            if not (d["type"] == "missing" and d["loc"] in meant)
        ]
        bad = {str(d["loc"][0]) for d in details if d["loc"]} | {str(place[0]) for place in meant}
    try:
        return Checked(kind.model_validate({k: v for k, v in given.items() if k not in bad}), faults, bad)
    except ValidationError:
        return Checked(None, faults)


def _ready(kind: type[BaseModel]) -> None:
    """Build the model's validator, if nobody has used it yet: most commands use few of the models.

    Without pydantic's plugins, which watch a program's own models: to look for them, the metadata of every installed
    package is read.
    """
    if kind.__pydantic_complete__:
        return
    before = os.environ.get(_PLUGINS)
    os.environ[_PLUGINS] = "1"
    try:
        kind.model_rebuild()
    finally:
        if before is None:
            del os.environ[_PLUGINS]
        else:
            os.environ[_PLUGINS] = before


def _meant(kind: type[BaseModel], details: list[ErrorDetails]) -> set[Path]:
    """Where misspelt keys would have been: that these are missing needs no message of its own."""
    found: set[Path] = set()
    for detail in details:
        if detail["type"] == "extra_forbidden":
            owner = _model_at(kind, detail["loc"][:-1])
            close = suggestion(str(detail["loc"][-1]), owner.model_fields if owner else ())
            found |= {(*detail["loc"][:-1], close)} if close else set()
    return found


_TYPES = {
    "string_type": "must be a text",
    "int_type": "must be a whole number",
    "float_type": "must be a number",
    "bool_type": "must be true or false",
    "tuple_type": "must be a list",
    "model_type": "must be a mapping",
    "dict_type": "must be a mapping",
}
_BOUNDS = {
    "greater_than_equal": ("ge", "{:g} or more"),
    "less_than_equal": ("le", "{:g} or less"),
    "greater_than": ("gt", "more than {:g}"),
    "less_than": ("lt", "less than {:g}"),
}
_FIXED = {"missing": "is missing", "string_too_short": "must not be empty"}


def _message(kind: type[BaseModel], detail: ErrorDetails) -> str:
    """One pydantic error in our words, without the value where that may be a secret."""
    message = _in_words(kind, detail)
    if any(is_secret_name(str(part)) for part in detail["loc"]):
        written = str(getattr(detail["input"], "text", detail["input"]))
        return message.replace(written, "***") if written else message
    return message


def _in_words(kind: type[BaseModel], detail: ErrorDetails) -> str:
    what, value = detail["type"], detail["input"]
    context: dict[str, Any] = detail.get("ctx") or {}
    if what == "manifest":
        return str(context["message"])
    if what == "extra_forbidden":
        return _unknown_key(_model_at(kind, detail["loc"][:-1]), str(detail["loc"][-1]))
    if what in _TYPES:
        return f"{_TYPES[what]}, not {_kind_of(value)}{_quoting(what, value)}"
    if what == "literal_error":
        allowed = [part.strip("'") for part in str(context["expected"]).replace(" or ", ", ").split(", ")]
        return f"{shown(value)} is not allowed {hint(str(value), allowed)}"
    if what in _BOUNDS:
        key, words = _BOUNDS[what]
        both = _range(kind, detail["loc"])
        return f"{shown(value)} is not allowed; allowed: {both or words.format(context[key])}"
    return _FIXED.get(what, detail["msg"])


def _quoting(what: str, value: Any) -> str:
    if not isinstance(value, str):
        return ""
    if what == "bool_type" and value.lower() in ("on", "yes", "y", "true"):
        return "; write true"
    if what == "bool_type" and value.lower() in ("off", "no", "n", "false"):
        return "; write false"
    if what in ("int_type", "float_type") and value.strip().lstrip("+-").replace(".", "", 1).isdigit():
        return "; write it without quotes"
    return ""


def _kind_of(value: Any) -> str:
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return f"the boolean {shown(value)}"
    if isinstance(value, int | float):
        return f"the number {shown(value)}"
    if isinstance(value, str):
        return f"the text {shown(value)}"
    return "a list" if isinstance(value, list | tuple) else "a mapping"


def _unknown_key(owner: type[BaseModel] | None, key: str) -> str:
    names = list(owner.model_fields) if owner else []
    if owner is not None and (advice := ADVICE.get((owner.__name__, key))):
        return f"unknown key; {advice}"
    return f"unknown key {hint(key, names, most=40)}"


def _range(kind: type[BaseModel], location: Path) -> str | None:
    """`1 to 65535`, for a number with both bounds."""
    if not location or not isinstance(location[-1], str):
        return None
    owner = _model_at(kind, location[:-1])
    found = owner.model_fields.get(location[-1]) if owner else None
    if found is None:
        return None
    bounds = [one for part in (*found.metadata, found.annotation) for one in _metadata(part)]
    low = next((one.ge for one in bounds if isinstance(one, Ge)), None)
    high = next((one.le for one in bounds if isinstance(one, Le)), None)
    return None if low is None or high is None else f"{low} to {high}"


def _metadata(annotation: Any) -> Iterator[Any]:
    """All that annotates a type, however deep."""
    yield annotation
    for one in getattr(annotation, "metadata", None) or ():
        yield from _metadata(one)
    for one in getattr(annotation, "__metadata__", ()):
        yield from _metadata(one)
    for one in get_args(annotation):
        yield from _metadata(one)


def _model_at(kind: type[BaseModel], location: Path) -> type[BaseModel] | None:
    """The model that ``location`` is inside of, found by the annotations."""
    here: Any = kind
    for part in location:
        if isinstance(here, type) and issubclass(here, BaseModel):
            found = here.model_fields.get(str(part))
            here = found.annotation if found else None
        else:
            here = _inner(here)
        here = _unwrapped(here)
    return here if isinstance(here, type) and issubclass(here, BaseModel) else None


def _unwrapped(annotation: Any) -> Any:
    """Without Annotated, and without None."""
    while get_origin(annotation) is Annotated:
        annotation = get_args(annotation)[0]
    options = [one for one in get_args(annotation) if one is not type(None)]
    if type(None) in get_args(annotation) and len(options) == 1:
        return _unwrapped(options[0])
    return annotation


def _inner(annotation: Any) -> Any:
    """What a tuple or dict holds."""
    inner: Iterator[Any] = (one for one in reversed(get_args(annotation)) if one is not Ellipsis)
    return next(inner, None)
