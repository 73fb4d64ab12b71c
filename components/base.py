"""What every component of this project has in common."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, ClassVar

import pulumi

_PACKAGE = "mldeploy"
_above: ContextVar[pulumi.Resource | None] = ContextVar("above", default=None)


@contextmanager
def children_of(parent: pulumi.Resource) -> Generator[None]:
    """What is made meanwhile without a parent has this one: a stack's resources as parts of one component."""
    token = _above.set(parent)
    try:
        yield
    finally:
        _above.reset(token)


def below(opts: pulumi.ResourceOptions | None = None) -> pulumi.ResourceOptions | None:
    """The options, with the parent of :func:`children_of` where they name none."""
    parent = _above.get()
    if parent is None or (opts is not None and opts.parent is not None):
        return opts
    made = copy.copy(opts) if opts is not None else pulumi.ResourceOptions()
    made.parent = parent
    return made


Customize = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True, kw_only=True)
class ComponentArgs:
    """What the arguments of every component have."""

    customize: Customize = field(default_factory=dict[str, Mapping[str, Any]])
    """Arguments of children to add or replace, by the child's role: `{"group": {"priority": "Spot"}}` changes the child
    `<name>-group`. Mappings are merged, other values replaced; `opts` is merged into the child's resource options."""


class Component(pulumi.ComponentResource):
    """A ComponentResource whose outputs are its class annotations.

    A subclass sets ``group`` (the middle of its type token), annotates its outputs on the class, creates its
    children with :meth:`child` options only, and ends its constructor with :meth:`publish`.
    """

    group: ClassVar[str]

    def __init__(
        self, name: str, opts: pulumi.ResourceOptions | None = None, customize: Customize | None = None
    ) -> None:
        self._used_roles = dict.fromkeys(customize or {}, False)
        self._seen_roles: list[str] = []
        if customize:
            changes = pulumi.ResourceOptions(transformations=[self._transformation(name, customize)])
            opts = pulumi.ResourceOptions.merge(opts, changes)
        super().__init__(self.type_token(), name, None, below(opts))

    def _transformation(self, name: str, customize: Customize) -> pulumi.ResourceTransformation:
        """Runs for every resource below this component; in this process, so that it is the same on both engines."""

        def change(made: pulumi.ResourceTransformationArgs) -> pulumi.ResourceTransformationResult | None:
            if made.resource is self:
                return None
            role = made.name.removeprefix(f"{name}-")
            self._seen_roles.append(role)
            wanted = dict(customize.get(role, {}))
            if not wanted:
                return None
            self._used_roles[role] = True
            opts = pulumi.ResourceOptions.merge(made.opts, wanted.pop("opts", None))
            return pulumi.ResourceTransformationResult({**made.props, **_merged(made.props, wanted)}, opts)

        return change

    @classmethod
    def type_token(cls) -> str:
        """The Pulumi type, ``mldeploy:<group>:<Class>``."""
        return f"{_PACKAGE}:{cls.group}:{cls.__name__}"

    @classmethod
    def output_names(cls) -> frozenset[str]:
        """The names this class promises as outputs: its own annotations, without class variables."""
        annotations = inspect.get_annotations(cls)
        return frozenset(
            name
            for name, kind in annotations.items()
            if not name.startswith("_") and "ClassVar" not in str(kind)
        )

    def child(self, **options: Any) -> pulumi.ResourceOptions:
        """Options for a child: this component is the parent, nothing of the caller's options is merged in."""
        return pulumi.ResourceOptions(parent=self, **options)

    def publish(self, outputs: Mapping[str, Any]) -> None:
        """Set each output as an attribute and register exactly the annotated ones.

        Raises:
            ValueError: a child that is to be customized is not there.
            TypeError: the names differ from the class annotations (a programming error, found by any test).
        """
        promised = set(self.output_names())
        if set(outputs) != promised:
            missing, extra = sorted(promised - set(outputs)), sorted(set(outputs) - promised)
            raise TypeError(f"{type(self).__name__}: outputs not published {missing}, not annotated {extra}")
        for role, used in self._used_roles.items():
            if not used:
                raise ValueError(
                    f"customize: no child {role!r}; allowed: {', '.join(sorted(set(self._seen_roles)))}"
                )
        for name, value in outputs.items():
            setattr(self, name, pulumi.Output.from_input(value))
        self.register_outputs(dict(outputs))


def _merged(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    """``new``, with what it does not say of a mapping taken from ``old``."""
    return {
        key: {**old[key], **value}
        if isinstance(value, Mapping) and isinstance(old.get(key), Mapping)
        else value
        for key, value in new.items()
    }
