"""References in states after renames: every URN that was aliased is written as the new one."""

from __future__ import annotations

from mldeploy.engine.base.errors import StateError
from mldeploy.engine.base.state import ResourceState
from mldeploy.engine.base.urn import (
    ROOT_STACK_TYPE,
    make_urn,
    parse_provider_reference,
    urn_name,
    urn_project,
    urn_qualified_type,
    urn_stack,
    urn_type,
)


class UrnFixer:
    """Maps old URNs to new ones by the aliases the states carry. Raises StateError on a clash."""

    def __init__(self, states: list[ResourceState]) -> None:
        self._aliased: dict[str, str] = {}
        for state in states:
            for alias in state.aliases:
                other = self._aliased.get(alias)
                if other is not None and other != state.urn:
                    raise StateError(f"two resources ({other} and {state.urn}) have the same alias {alias}")
                self._aliased[alias] = state.urn
            parent = self._aliased.get(state.parent)
            if parent and urn_qualified_type(parent) != ROOT_STACK_TYPE:
                self._aliased[state.urn] = make_urn(
                    urn_stack(state.urn),
                    urn_project(state.urn),
                    urn_qualified_type(parent),
                    urn_type(state.urn),
                    urn_name(state.urn),
                )

    def urn(self, urn: str) -> str:
        """The URN to write for this one."""
        return self._aliased.get(urn, urn)

    def provider(self, reference: str) -> str:
        """The provider reference to write for this one."""
        if not reference:
            return reference
        parsed = parse_provider_reference(reference)
        return f"{self.urn(parsed.urn)}::{parsed.id}"

    def fixed(self, state: ResourceState) -> ResourceState:
        """A copy with new URNs throughout and without aliases."""
        copy = state.copy()
        copy.urn = self.urn(state.urn)
        copy.parent = self.urn(state.parent)
        copy.provider = self.provider(state.provider)
        copy.dependencies = [self.urn(u) for u in state.dependencies]
        copy.property_dependencies = {
            k: [self.urn(u) for u in v] for k, v in state.property_dependencies.items()
        }
        copy.deleted_with = self.urn(state.deleted_with)
        copy.replace_with = [self.urn(u) for u in state.replace_with]
        copy.aliases = []
        return copy
