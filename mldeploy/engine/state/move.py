"""`state move`: resources go from one stack's record to another's; no object is touched (pkg/cmd/pulumi/state)."""

from __future__ import annotations

from collections.abc import Collection
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from mldeploy.engine.base.errors import EngineError
from mldeploy.engine.base.state import ResourceState
from mldeploy.engine.base.urn import (
    ROOT_STACK_TYPE,
    child_urn,
    is_provider_type,
    is_urn,
    make_urn,
    urn_name,
    urn_qualified_type,
    urn_type,
)
from mldeploy.engine.project.config import StackConfig
from mldeploy.engine.project.project import PulumiProject, stack_config_path
from mldeploy.engine.state.backend import FileBackend, StackReference
from mldeploy.engine.state.checkpoint import Snapshot, verify_integrity
from mldeploy.engine.state.lock import StackLock
from mldeploy.engine.state.stack import OpenStack, Secrets, locate, open_stack, read_snapshot, save
from mldeploy.values.property_value import deep_equals


@dataclass(frozen=True, slots=True)
class Moved:
    """What was moved (URNs in the source), and what was cut: one sentence for each dependency between the stacks."""

    urns: list[str]
    cut: list[str]
    unknown: list[str]


def move(
    project_dir: Path,
    source: str,
    dest: str,
    urns: Collection[str],
    *,
    include_parents: bool = False,
    backend_url: str | None = None,
    passphrase: str | None = None,
) -> Moved:
    """Move resources and their children. `source` and `dest` are stacks of this project, or
    `organization/<project>/<stack>`.

    Providers are copied along. Raises EngineError; both records are untouched then. The destination is written
    first, so that a failure in between forgets nothing.
    """
    project, backend, here = locate(project_dir, source.rpartition("/")[2] or source, backend_url)
    from_, to = _reference(source, here.project), _reference(dest, here.project)
    if from_ == to:
        raise EngineError(f"{source} and {dest} are the same stack")
    with ExitStack() as locks:
        for reference in sorted((from_, to), key=lambda r: r.qualified):
            if not backend.stack_file(reference).is_file():
                raise EngineError(f"no stack named {reference.qualified!r} in {backend.url}")
            locks.enter_context(StackLock(backend.lock_folder(reference)))
        opened = [_open(backend, reference, project, passphrase) for reference in (from_, to)]
        before = list(opened[1].snapshot.resources)
        moved = _Move(opened[0].snapshot, opened[1].snapshot, to).run(urns, include_parents=include_parents)
        for stack in opened:
            verify_integrity(stack.snapshot.resources)
        save(opened[1], opened[1].snapshot)
        try:
            save(opened[0], opened[0].snapshot)
        except EngineError:
            opened[1].snapshot.resources = before
            save(opened[1], opened[1].snapshot)
            raise
    return moved


def _reference(name: str, project: str) -> StackReference:
    parts = name.split("/")
    if len(parts) == 3 and parts[0] == "organization":
        return StackReference(parts[1], parts[2])
    if len(parts) == 1:
        return StackReference(project, name)
    raise EngineError(f"stack {name!r}: expected <stack>, or organization/<project>/<stack>")


def _open(
    backend: FileBackend, reference: StackReference, project: PulumiProject, passphrase: str | None
) -> OpenStack:
    """The stack; of another project only what its record says, as its files are elsewhere."""
    if reference.project == project.name:
        return open_stack(backend, reference, project, passphrase)
    secrets = Secrets(passphrase)
    snapshot = read_snapshot(backend, reference, secrets)
    recorded = snapshot.secrets_state
    if recorded is None:
        raise EngineError(
            f"stack {reference.qualified!r} has no secrets provider yet: run this in the folder of its project"
        )
    config = StackConfig(stack_config_path(project, reference.name))
    manager = secrets.manager(recorded["state"]["salt"])
    return OpenStack(backend, reference, config, snapshot, secrets, manager)


class _Move:
    def __init__(self, source: Snapshot, dest: Snapshot, to: StackReference) -> None:
        self._source = source
        self._dest = dest
        self._to = to
        self._cut: list[str] = []
        self._renamed: dict[str, str] = {}
        self._going: set[str] = set()
        self._left: set[str] = set()

    def run(self, urns: Collection[str], *, include_parents: bool) -> Moved:
        resources = self._source.resources
        chosen = {state for state in resources if state.urn in urns}
        for urn in urns:
            if not is_urn(urn):
                raise EngineError(f"{urn!r} is no URN (urn:pulumi:<stack>::<project>::<type>::<name>)")
        held = next((state for state in chosen if is_provider_type(state.type)), None)
        if held is not None:
            raise EngineError(f"{held.urn} is a provider: providers go along with what they serve, not alone")
        known = {state.urn for state in chosen}
        if not chosen:
            raise EngineError(f"none of these is in the stack: {', '.join(urns)}")
        moving = self._family(chosen, include_parents=include_parents)
        self._going = {state.urn for state in moving}
        served = {state.provider for state in moving}
        providers = [s for s in resources if is_provider_type(s.type) and f"{s.urn}::{s.id}" in served]
        staying = [state for state in resources if state not in moving]
        for state in staying:
            self._cut_from(state, self._going)
        self._left = {state.urn for state in staying}
        root = self._root().urn
        here = {state.urn: state for state in self._dest.resources}
        for state in providers:
            self._copy_provider(state.copy(), root, here)
        for state in (s for s in resources if s in moving):
            self._take(state.copy(), root, here)
        self._source.resources = staying
        return Moved(
            [s.urn for s in resources if s in moving], self._cut, [u for u in urns if u not in known]
        )

    def _family(self, chosen: set[ResourceState], *, include_parents: bool) -> set[ResourceState]:
        """Those and their children, without stacks and providers; with their parents when asked."""
        movable = [
            state
            for state in self._source.resources
            if not is_provider_type(state.type) and state.type != ROOT_STACK_TYPE
        ]
        urns = {state.urn for state in chosen}
        if include_parents:
            for state in reversed(movable):
                if state.urn in urns and state.parent:
                    urns.add(state.parent)
        for state in movable:
            if state.parent in urns:
                urns.add(state.urn)
        return {state for state in movable if state.urn in urns}

    def _root(self) -> ResourceState:
        """The destination's stack resource, made when there is none."""
        for state in self._dest.resources:
            if state.type == ROOT_STACK_TYPE and not state.parent:
                return state
        name = f"{self._to.project}-{self._to.name}"
        urn = make_urn(self._to.name, self._to.project, "", ROOT_STACK_TYPE, name)
        root = ResourceState(urn, ROOT_STACK_TYPE)
        self._dest.resources.insert(0, root)
        return root

    def _copy_provider(self, state: ResourceState, root: str, here: dict[str, ResourceState]) -> None:
        old = f"{state.urn}::{state.id}"
        self._rewrite(state, root)
        there = here.get(state.urn)
        if there is None:
            self._dest.resources.append(state)
            here[state.urn] = there = state
        elif there.id != state.id and not deep_equals(there.inputs, state.inputs):
            raise EngineError(f"provider {state.urn} is in the destination already, with other settings")
        self._renamed[old] = f"{there.urn}::{there.id}"

    def _take(self, state: ResourceState, root: str, here: dict[str, ResourceState]) -> None:
        old = state.urn
        self._rewrite(state, root)
        if state.urn in here:
            raise EngineError(f"resource {state.urn} is in the destination already")
        self._renamed[old] = state.urn
        self._dest.resources.append(state)

    def _rewrite(self, state: ResourceState, root: str) -> None:
        """Say everything in the destination's words, and cut what stays behind."""
        parent = self._new(state.parent) if state.parent in self._going else root
        self._cut_from(state, self._left)
        state.parent = parent
        state.urn = child_urn(self._to.name, self._to.project, parent, state.type, urn_name(state.urn))
        if state.provider:
            state.provider = self._renamed[state.provider]
        state.dependencies = [self._new(urn) for urn in state.dependencies]
        state.replace_with = [self._new(urn) for urn in state.replace_with]
        state.deleted_with = self._new(state.deleted_with) if state.deleted_with else ""
        state.property_dependencies = {
            key: [self._new(urn) for urn in urns] for key, urns in state.property_dependencies.items()
        }

    def _new(self, urn: str) -> str:
        known = self._renamed.get(urn)
        if known is not None:
            return known
        qualified = urn_qualified_type(urn)
        return make_urn(
            self._to.name, self._to.project, qualified.rpartition("$")[0], urn_type(urn), urn_name(urn)
        )

    def _cut_from(self, state: ResourceState, gone: set[str]) -> None:
        def kept(urns: list[str], what: str) -> list[str]:
            self._cut.extend(f"{state.urn} {what} {urn}" for urn in urns if urn in gone)
            return [urn for urn in urns if urn not in gone]

        state.dependencies = kept(state.dependencies, "depends on")
        state.property_dependencies = {
            key: found
            for key, urns in state.property_dependencies.items()
            if (found := kept(urns, f"({key}) depends on"))
        }
        state.deleted_with = "".join(
            kept([state.deleted_with] if state.deleted_with else [], "is deleted with")
        )
        state.replace_with = kept(state.replace_with, "is replaced with")
