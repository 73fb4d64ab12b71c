"""Old names: which recorded resource a registration means when it was renamed, retyped or moved."""

from __future__ import annotations

from mldeploy.engine.base.goal import Alias
from mldeploy.engine.base.urn import (
    ROOT_STACK_TYPE,
    child_urn,
    make_urn,
    urn_name,
    urn_qualified_type,
    urn_type,
)


class AliasResolver:
    """Works out candidate URNs, and remembers which old URN each new one took over."""

    def __init__(self, stack: str, project: str) -> None:
        self._stack = stack
        self._project = project
        self.taken_by: dict[str, str] = {}  # old URN -> the new one that took it over
        self.taken_from: dict[str, str] = {}  # new URN -> the old one

    def take(self, old: str, new: str) -> None:
        """`new` continues what was recorded as `old`."""
        self.taken_by[old] = new
        self.taken_from[new] = old

    def candidates(self, name: str, type_: str, parent: str, aliases: list[Alias]) -> list[str]:
        """URNs the resource may have had, in order of preference."""
        own = [self._collapse(name, type_, parent, alias) for alias in aliases]
        found = dict.fromkeys(own)
        parent_alias = self.taken_from.get(parent) if parent else None
        if parent_alias is not None:
            parent_name = urn_name(parent)
            found.setdefault(self._inherited(type_, name, parent_name, parent_alias))
            for urn in own:
                found.setdefault(self._inherited(urn_type(urn), urn_name(urn), parent_name, parent_alias))
        return list(found)

    def _collapse(self, name: str, type_: str, own_parent: str, alias: Alias) -> str:
        if alias.urn:
            return alias.urn
        parent = own_parent
        if alias.parent:
            parent = self.taken_from.get(alias.parent, alias.parent)
        if alias.no_parent or (parent and urn_qualified_type(parent) == ROOT_STACK_TYPE):
            parent = ""
        return child_urn(
            alias.stack or self._stack,
            alias.project or self._project,
            parent,
            alias.type or type_,
            alias.name or name,
        )

    def _inherited(self, type_: str, name: str, parent_name: str, parent_alias: str) -> str:
        """A child of a renamed parent; `<parent>-suffix` names follow the parent's name."""
        if name.startswith(parent_name):
            name = urn_name(parent_alias) + name[len(parent_name) :]
        return make_urn(self._stack, self._project, urn_qualified_type(parent_alias), type_, name)
