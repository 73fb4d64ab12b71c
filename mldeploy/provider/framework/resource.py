"""The small framework under the resources: declared fields, a context, and plain dictionaries in and out."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Literal, cast

from mldeploy.provider.framework.values import Unknown, difference, has_unknown

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


@dataclass(frozen=True, kw_only=True)
class Field:
    """One property of a resource: what it is for, and what is allowed in it."""

    kind: Kind
    description: str
    required: bool = False
    secret: bool = False
    replaces: bool = True
    """Whether a change makes a new resource; otherwise it is updated in place."""
    computed: bool = False
    """Whether ``check`` sets it; nobody else may."""
    minimum: float | None = None
    maximum: float | None = None
    choices: tuple[str, ...] = ()
    items: Field | None = None
    """What an array or a map holds."""
    fields: Mapping[str, Field] | None = None
    """The properties of an object."""
    type_name: str = ""
    """The object's name in the schema."""

    def faults(self, value: Any, path: str) -> list[tuple[str, str]]:
        """(property path, what is wrong and what is allowed) of every fault in a value without secrets."""
        if isinstance(value, Unknown):
            return []
        right = isinstance(value, _PYTHON[self.kind]) and (
            self.kind == "boolean" or not isinstance(value, bool)
        )
        if not right:
            return [(path, f"must be {_article(self.kind)}, not {_show(value, self.secret)}")]
        if self.choices and value not in self.choices:
            return [(path, f"is {value!r}; allowed: {', '.join(self.choices)}")]
        if self.kind in ("integer", "number"):
            return self._range_faults(value, path)
        return self._inner_faults(value, path)

    def _range_faults(self, value: float, path: str) -> list[tuple[str, str]]:
        low, high = self.minimum, self.maximum
        if (low is None or value >= low) and (high is None or value <= high):
            return []
        allowed = f"at least {low:g}" if low is not None else ""
        allowed += (" and " if allowed and high is not None else "") + (
            f"at most {high:g}" if high is not None else ""
        )
        return [(path, f"is {value}; allowed: {allowed}")]

    def _inner_faults(self, value: Any, path: str) -> list[tuple[str, str]]:
        found: list[tuple[str, str]] = []
        if self.kind == "array" and self.items:
            for index, item in enumerate(cast("list[Any]", value)):
                found += self.items.faults(item, f"{path}[{index}]")
        elif self.kind == "map" and self.items:
            for key, item in cast("dict[str, Any]", value).items():
                found += self.items.faults(item, f"{path}.{key}")
        elif self.kind == "object" and self.fields:
            found += check_fields(self.fields, cast("dict[str, Any]", value), path)
        return found


def check_fields(
    fields: Mapping[str, Field], values: Mapping[str, Any], path: str = ""
) -> list[tuple[str, str]]:
    """Every fault of ``values`` against its declared fields: unknown names, missing ones, wrong values."""
    prefix = f"{path}." if path else ""
    found = [
        (f"{prefix}{name}", f"is no property here; allowed: {', '.join(_settable(fields))}")
        for name in values
        if name not in fields
    ]
    for name, declared in fields.items():
        value = values.get(name)
        if value is None:
            if declared.required:
                found.append((f"{prefix}{name}", f"is required: {declared.description}"))
        else:
            found += declared.faults(value, f"{prefix}{name}")
    return found


def _settable(fields: Mapping[str, Field]) -> list[str]:
    return [name for name, declared in fields.items() if not declared.computed]


def _article(kind: str) -> str:
    return {"integer": "a whole number", "object": "an object", "array": "a list"}.get(kind, f"a {kind}")


def _show(value: Any, secret: bool) -> str:
    if secret or isinstance(value, dict | list):
        return f"a {type(cast('object', value)).__name__}"
    return repr(value)


class ProvisionError(Exception):
    """A step failed; the message says what, which value and what is allowed."""


class CheckError(Exception):
    """Inputs are not acceptable: pairs of a property path and the reason."""

    def __init__(self, *failures: tuple[str, str]) -> None:
        super().__init__("; ".join(f"{path} {reason}" for path, reason in failures))
        self.failures = failures


class UnhealthyError(Exception):
    """The resource exists, but it does not do what it is for."""

    def __init__(self, outputs: Mapping[str, Any], *reasons: str, ident: str = "") -> None:
        super().__init__("; ".join(reasons))
        self.ident = ident
        self.outputs = outputs
        self.reasons = reasons


class CancelledError(ProvisionError):
    """The engine asked to stop."""


def _ignore(_message: str) -> None:
    """Nobody listens."""


@dataclass(frozen=True)
class Context:
    """What an operation knows besides its inputs."""

    root: Path
    """The project's folder: relative paths of inputs start here."""
    urn: str = "urn:pulumi:stack::project::type::name"
    status: Callable[[str], None] = _ignore
    """Shows a short-lived progress message."""
    info: Callable[[str], None] = _ignore
    """Shows a message that stays."""
    warn: Callable[[str], None] = _ignore
    cancelled: threading.Event = field(default_factory=threading.Event)
    timeout: float | None = None
    """Seconds that the user allows for the operation (``custom_timeouts``)."""

    @property
    def scope(self) -> str:
        """``<project>/<stack>``: what keeps equal names of different projects apart."""
        parts = self.urn.split("::")
        return f"{parts[1]}/{parts[0].rsplit(':', 1)[-1]}"

    @property
    def name(self) -> str:
        """The resource's logical name."""
        return self.urn.rsplit("::", 1)[-1]

    def check_cancelled(self) -> None:
        """Raises:
        CancelledError: the engine asked to stop.
        """
        if self.cancelled.is_set():
            raise CancelledError("cancelled")


@dataclass
class Diff:
    """What a change of inputs means for an existing resource."""

    details: dict[str, str] = field(default_factory=dict[str, str])
    """Property path to ``add``, ``delete`` or ``update``."""
    replaces: set[str] = field(default_factory=set[str])
    """Those paths that need a new resource."""
    drift: set[str] = field(default_factory=set[str])
    """Those paths that name outputs: the world changed, not the inputs."""


class Resource:
    """One kind of resource. Values are plain: without secrets' wrappers; unknowns only in check and
    preview."""

    token: ClassVar[str]
    description: ClassVar[str]
    inputs: ClassVar[Mapping[str, Field]]
    outputs: ClassVar[Mapping[str, Field]]
    """Outputs besides the inputs, which are outputs too."""
    delete_before_replace: ClassVar[bool] = False
    importable: ClassVar[bool] = False
    """Whether ``read`` can do with an id alone."""

    def check(self, ctx: Context, olds: Mapping[str, Any], news: dict[str, Any]) -> dict[str, Any]:
        """The computed inputs (defaults, digests). No side effects.

        Raises:
            CheckError: a value is not acceptable.
        """
        del ctx, olds, news
        return {}

    def diff(
        self,
        ctx: Context,
        ident: str,
        state: Mapping[str, Any],
        olds: Mapping[str, Any],
        news: Mapping[str, Any],
    ) -> Diff:
        """What changes from ``olds`` to ``news``; a path replaces when its field says so."""
        del ctx, ident, state
        details = difference(dict(olds), dict(news))
        return Diff(details, {path for path in details if self.inputs[_top(path)].replaces})

    def preview(self, ctx: Context, inputs: Mapping[str, Any]) -> dict[str, Any]:
        """The outputs that are known before creation; the others are unknown."""
        del ctx, inputs
        return {}

    def create(self, ctx: Context, inputs: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
        """Make it; returns its id and outputs."""
        raise NotImplementedError

    def read(
        self, ctx: Context, ident: str, state: Mapping[str, Any], inputs: Mapping[str, Any]
    ) -> tuple[dict[str, Any], dict[str, Any]] | None:
        """What really is: (outputs, changes to inputs), or None when it is gone.

        Raises:
            UnhealthyError: it exists but does not work.
        """
        raise NotImplementedError

    def update(
        self,
        ctx: Context,
        ident: str,
        state: Mapping[str, Any],
        olds: Mapping[str, Any],
        news: Mapping[str, Any],
    ) -> dict[str, Any]:
        """Change it in place; returns all outputs."""
        raise NotImplementedError

    def delete(self, ctx: Context, ident: str, state: Mapping[str, Any]) -> None:
        """Remove it; succeeds when it is gone already."""
        raise NotImplementedError

    def faults(self, news: Mapping[str, Any]) -> list[tuple[str, str]]:
        """Every fault of the user's inputs against the declared fields."""
        return check_fields(self.inputs, news)


def known(*values: Any) -> bool:
    """Whether nothing in ``values`` is unknown."""
    return not any(has_unknown(value) for value in values)


def _top(path: str) -> str:
    return path.split(".", 1)[0].split("[", 1)[0]
