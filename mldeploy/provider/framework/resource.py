"""The small framework under the resources: a context, a change, and what a resource does with its declared values."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Generic, TypeVar, get_args

from mldeploy.provider.framework.declare import (
    Declaration,
    Field,
    check_fields,
    describe,
    fields_of,
    plain,
)
from mldeploy.values.difference import difference
from mldeploy.values.property_value import contains_unknowns

D = TypeVar("D", bound=Declaration)
D_co = TypeVar("D_co", bound=Declaration, covariant=True)


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

    def drifted(self, path: str) -> None:
        """The world changed the output ``path``."""
        self.details[path] = "update"
        self.drift.add(path)

    def ignore(self, *names: str) -> None:
        """Changes of these properties are none."""
        for path in [path for path in self.details if top(path) in names]:
            del self.details[path]
            self.replaces.discard(path)


@dataclass(frozen=True)
class Change(Generic[D_co]):
    """What a program wants of a resource that exists."""

    id: str
    state: D_co
    """Its last outputs, the inputs among them."""
    old: D_co
    """The inputs that it was made with."""
    new: D_co
    """The inputs that are wanted."""


@dataclass(frozen=True)
class Live:
    """What of a resource is really different from its state."""

    outputs: Mapping[str, Any] = field(default_factory=dict[str, Any])
    inputs: Mapping[str, Any] = field(default_factory=dict[str, Any])


class _Declared(Generic[D]):
    """What has a declaration: the type argument of its class."""

    fields: ClassVar[type[Declaration]]

    def __init_subclass__(cls) -> None:
        for base in vars(cls).get("__orig_bases__", ()):
            for argument in get_args(base):
                if isinstance(argument, type) and issubclass(argument, Declaration):
                    cls.fields = argument

    @property
    def token(self) -> str:
        """Its type's name in a program's state."""
        return self.fields.token

    @property
    def description(self) -> str:
        """What it is, on one line."""
        return describe(self.fields)

    @property
    def inputs(self) -> dict[str, Field]:
        """The inputs, computed ones among them."""
        return {name: one for name, one in fields_of(self.fields).items() if one.about.role != "output"}

    @property
    def outputs(self) -> dict[str, Field]:
        """Outputs besides the inputs, which are outputs too."""
        return {name: one for name, one in fields_of(self.fields).items() if one.about.role == "output"}

    def faults(self, values: Mapping[str, Any]) -> list[tuple[str, str]]:
        """Every fault of the user's values, which are without secrets' wrappers, against the declaration."""
        return check_fields(fields_of(self.fields), values)


class Resource(_Declared[D]):
    """One kind of resource. Declared values are without secrets' wrappers; unknowns only in check, diff and preview.

    What has nothing outside of the state needs no read, update or delete of its own.
    """

    delete_before_replace: ClassVar[bool] = False
    importable: ClassVar[bool] = False
    """Whether ``read`` can do with an id alone."""

    def check(self, ctx: Context, old: D, new: D) -> dict[str, Any]:
        """The computed inputs (defaults, digests). No side effects.

        Raises:
            CheckError: a value is not acceptable.
        """
        return {}

    def foreign(self, olds: Mapping[str, Any]) -> bool:
        """Whether the old inputs are those of another type, of which an alias says that this one takes its place. An
        engine asks all the same what changes, and only the type that is new can tell."""
        return (
            any(declared.about.required and name not in olds for name, declared in self.inputs.items())
            and not olds.keys() <= self.inputs.keys()
        )

    def taken_over(self, olds: Mapping[str, Any], news: Mapping[str, Any]) -> Diff:
        """The difference to another type: this one is made, and the other's provider deletes what it made."""
        details = dict.fromkeys(sorted(olds.keys() - news.keys()), "delete")
        details |= dict.fromkeys(sorted(news.keys() - olds.keys()), "add")
        return Diff(details, {path for path, change in details.items() if change == "add"})

    def diff(self, ctx: Context, change: Change[D]) -> Diff:
        """What changes from the old inputs to the new ones; a path replaces when its property says so."""
        details = difference(change.old.plain(), change.new.plain())
        # An input that this version does not have any more is no difference.
        details = {path: kind for path, kind in details.items() if top(path) in self.inputs}
        return Diff(details, {path for path in details if self.inputs[top(path)].about.replaces})

    def preview(self, ctx: Context, inputs: D) -> dict[str, Any]:
        """The outputs that are known before creation; the others are unknown."""
        return {}

    def create(self, ctx: Context, inputs: D) -> tuple[str, dict[str, Any]]:
        """Make it; returns its id and outputs."""
        raise NotImplementedError

    def read(self, ctx: Context, ident: str, state: D, inputs: D) -> Live | None:
        """What really is, or None when it is gone.

        Raises:
            UnhealthyError: it exists but does not work.
        """
        return Live()

    def update(self, ctx: Context, change: Change[D]) -> dict[str, Any]:
        """Change it in place; returns all outputs."""
        return {}

    def delete(self, ctx: Context, ident: str, state: D) -> None:
        """Remove it; succeeds when it is gone already."""


class Function(_Declared[D]):
    """What a program asks for in every run, and no state keeps. Values are plain; it marks secret results itself."""

    answer: ClassVar[type[Declaration]]

    @property
    def outputs(self) -> dict[str, Field]:
        """What the result holds."""
        return fields_of(self.answer)

    def call(self, ctx: Context, args: D) -> dict[str, Any]:
        """The result.

        Raises:
            ProvisionError: there is none.
        """
        raise NotImplementedError


def known(*values: Any) -> bool:
    """Whether nothing in ``values`` is unknown."""
    return not any(contains_unknowns(plain(value)) for value in values)


def top(path: str) -> str:
    """The property that a path leads into."""
    return path.split(".", 1)[0].split("[", 1)[0]
