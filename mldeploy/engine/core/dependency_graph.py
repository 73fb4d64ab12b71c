"""Which recorded resources depend on which: dependencies, parents, providers, deletedWith."""

from __future__ import annotations

from mldeploy.engine.base.state import ResourceState
from mldeploy.engine.base.urn import parse_provider_reference


class DependencyGraph:
    """Built over resources in topological order; the same URN may name several states."""

    def __init__(self, resources: list[ResourceState]) -> None:
        self.resources = resources
        self._index = {state: i for i, state in enumerate(resources)}
        self._by_urn: dict[str, list[ResourceState]] = {}
        for state in resources:
            self._by_urn.setdefault(state.urn, []).append(state)
        self._edges: dict[ResourceState, frozenset[ResourceState]] = {}

    def __contains__(self, state: ResourceState) -> bool:
        return state in self._index

    def _last_before(self, urn: str, position: int) -> ResourceState | None:
        found = None
        for state in self._by_urn.get(urn, ()):
            if self._index[state] < position:
                found = state
        return found

    def dependencies_of(self, state: ResourceState) -> frozenset[ResourceState]:
        """The states this one needs directly: parents, dependencies and its provider."""
        known = self._edges.get(state)
        if known is None:
            position = self._index.get(state, len(self.resources))
            urns = set(state.all_dependencies())
            if state.provider:
                urns.add(parse_provider_reference(state.provider).urn)
            found = (self._last_before(urn, position) for urn in urns)
            known = self._edges[state] = frozenset(s for s in found if s is not None)
        return known

    def transitive_dependencies_of(self, state: ResourceState) -> set[ResourceState]:
        """Everything this one needs, however far."""
        seen: set[ResourceState] = set()
        frontier = list(self.dependencies_of(state))
        while frontier:
            current = frontier.pop()
            if current not in seen:
                seen.add(current)
                frontier += self.dependencies_of(current)
        return seen

    def depending_on(
        self, root: ResourceState, ignore: set[str], *, include_children: bool
    ) -> list[ResourceState]:
        """Everything that needs `root`, however far, in order. `ignore` are URNs to leave out."""
        dependents: set[str] = {root.urn}
        found: list[ResourceState] = []
        start = self._index.get(root)
        if start is None:
            return []
        for state in self.resources[start + 1 :]:
            if state.urn in ignore or (state.urn in dependents and state.urn == root.urn):
                continue
            if self._depends(state, dependents, include_children):
                found.append(state)
                dependents.add(state.urn)
        return found

    @staticmethod
    def _depends(state: ResourceState, dependents: set[str], include_children: bool) -> bool:
        if include_children and state.parent in dependents:
            return True
        if state.provider and parse_provider_reference(state.provider).urn in dependents:
            return True
        if state.deleted_with in dependents:
            return True
        if any(urn in dependents for urn in state.dependencies):
            return True
        return any(urn in dependents for urns in state.property_dependencies.values() for urn in urns)


def antichains(graph: DependencyGraph, condemned: list[ResourceState]) -> list[list[ResourceState]]:
    """Groups to delete one after another: nothing in a group needs anything in the same or a later group."""
    level: dict[ResourceState, int] = {}
    members = set(condemned)
    order = (
        sorted(members, key=graph.resources.index)
        if len(members) < 2
        else [s for s in graph.resources if s in members]
    )
    for state in order:
        deps = [d for d in graph.dependencies_of(state) if d in members]
        level[state] = 1 + max((level.get(d, 0) for d in deps), default=0)
    groups: dict[int, list[ResourceState]] = {}
    for state, depth in level.items():
        groups.setdefault(depth, []).append(state)
    return [groups[depth] for depth in sorted(groups, reverse=True)]
