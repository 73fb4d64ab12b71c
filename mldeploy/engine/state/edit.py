"""Edits of a stack's record that touch no object: `state delete`, `rename`, `protect`, `taint` (pkg/resource/edit)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from mldeploy.engine.base.errors import EngineError
from mldeploy.engine.base.state import ResourceState
from mldeploy.engine.base.urn import is_provider_type, is_urn, parse_provider_reference
from mldeploy.engine.state.checkpoint import Snapshot, verify_integrity
from mldeploy.engine.state.lock import StackLock
from mldeploy.engine.state.stack import locate, open_stack, save

Edit = Callable[[Snapshot], None]


@dataclass(frozen=True, slots=True)
class EditedStack:
    """Which stack to edit."""

    project: Path
    stack: str
    backend_url: str | None = None
    passphrase: str | None = None

    def apply(self, edit: Edit) -> None:
        """Edit the record while holding the stack's lock. Raises EngineError; the state is untouched then."""
        project, backend, reference = locate(self.project, self.stack, self.backend_url)
        if not backend.stack_file(reference).is_file():
            raise EngineError(f"no stack named {self.stack!r} in {backend.url}")
        with StackLock(backend.lock_folder(reference)):
            opened = open_stack(backend, reference, project, self.passphrase)
            edit(opened.snapshot)
            verify_integrity(opened.snapshot.resources)
            save(opened, opened.snapshot)


def _found(snapshot: Snapshot, urn: str) -> ResourceState:
    if not is_urn(urn):
        raise EngineError(f"{urn!r} is no URN (urn:pulumi:<stack>::<project>::<type>::<name>)")
    states = [state for state in snapshot.resources if state.urn == urn]
    if not states:
        raise EngineError(f"no resource {urn} in the state")
    live = [state for state in states if not state.delete]
    if len(states) > 1 and len(live) != 1:
        raise EngineError(f"{urn} is recorded {len(states)} times")
    return live[0] if live else states[0]


def _needs(state: ResourceState, urns: set[str]) -> bool:
    provider = parse_provider_reference(state.provider).urn if state.provider else ""
    return provider in urns or not urns.isdisjoint(state.all_dependencies())


def delete(urn: str, *, force: bool = False, target_dependents: bool = False) -> Edit:
    """Forget a resource; its object stays. `force`: a protected one too, `target_dependents`: what needs it too."""

    def edit(snapshot: Snapshot) -> None:
        root = _found(snapshot, urn)
        condemned, urns = {root}, {urn}
        for state in snapshot.resources:
            if state not in condemned and state.urn != urn and _needs(state, urns):
                condemned.add(state)
                urns.add(state.urn)
        if len(condemned) > 1 and not target_dependents:
            listed = "".join(
                f"\n  {state.urn}" for state in snapshot.resources if state in condemned - {root}
            )
            raise EngineError(
                f"{urn} can't be deleted from the state: these need it (--target-dependents deletes them, too):{listed}"
            )
        held = [state.urn for state in snapshot.resources if state in condemned and state.protect]
        if held and not force:
            raise EngineError(f"{held[0]} is protected: unprotect it first, or use --force")
        snapshot.resources = [state for state in snapshot.resources if state not in condemned]

    return edit


def rename(urn: str, name: str) -> Edit:
    """Give a resource another logical name, wherever the record speaks of it."""

    def edit(snapshot: Snapshot) -> None:
        state = _found(snapshot, urn)
        if not name:
            raise EngineError("the new name is empty")
        new = f"{urn.rpartition('::')[0]}::{name}"
        if any(other.urn == new for other in snapshot.resources):
            raise EngineError(f"there is a resource {new} already")
        state.urn = new
        for other in snapshot.resources:
            if other is not state:
                _rewrite(other, urn, new)

    return edit


def _rewrite(state: ResourceState, old: str, new: str) -> None:
    def fixed(urns: list[str]) -> list[str]:
        return [new if urn == old else urn for urn in urns]

    state.parent = new if state.parent == old else state.parent
    state.deleted_with = new if state.deleted_with == old else state.deleted_with
    state.dependencies = fixed(state.dependencies)
    state.replace_with = fixed(state.replace_with)
    # As the CLI leaves them: properties that need nothing are not mentioned any more.
    state.property_dependencies = {k: fixed(v) for k, v in state.property_dependencies.items() if v}
    if state.provider and parse_provider_reference(state.provider).urn == old:
        state.provider = f"{new}::{parse_provider_reference(state.provider).id}"


def mark(urns: list[str], flag: str, *, value: bool, everything: bool = False) -> Edit:
    """Set `protect` or `taint` of resources; `everything` means all of them."""

    def edit(snapshot: Snapshot) -> None:
        if not urns and not everything:
            raise EngineError("name at least one URN, or use --all")
        states = snapshot.resources if everything else [_found(snapshot, urn) for urn in urns]
        for state in states:
            unfit = flag == "taint" and (not state.custom or is_provider_type(state.type))
            if unfit and not everything:
                raise EngineError(f"{state.urn} has no object of its own that an update could replace")
            if not unfit and not (everything and state.delete):
                setattr(state, flag, value)

    return edit
