"""What an operation deletes at its end, and the refresh that reads every recorded resource."""

from __future__ import annotations

from mldeploy.engine.base.errors import BailError
from mldeploy.engine.base.options import UrnTargets
from mldeploy.engine.base.state import ResourceState
from mldeploy.engine.core.dependency_graph import antichains
from mldeploy.engine.core.deployment import Deployment
from mldeploy.engine.core.read_steps import RefreshStep
from mldeploy.engine.core.step import DeleteStep, RemovePendingReplaceStep, SameStep, Step
from mldeploy.engine.core.step_generator import StepGenerator
from mldeploy.engine.state.checkpoint import Snapshot


def perform_deletes(deployment: Deployment, generator: StepGenerator) -> None:
    """Delete what is left over: replaced objects first come first, then what the program no longer has.

    Raises BailError (reported).
    """
    generator.targeting.report_unknown(generator.targeting.targets)
    sames, deletes = _plan(deployment, generator)
    for same in sames:
        generator.executor.run_chain([same])
    by_state = {step.state: step for step in deletes}
    needed_by_failed: set[ResourceState] = set()
    for group in antichains(deployment.graph, list(by_state)):
        for errored in generator.executor.errored:
            for state in (errored.new, errored.old):
                if state is not None and state in deployment.graph:
                    needed_by_failed |= deployment.graph.transitive_dependencies_of(state)
        if generator.executor.cancelled.is_set():
            return
        generator.executor.run_parallel([by_state[s] for s in group if s not in needed_by_failed])


def _plan(deployment: Deployment, generator: StepGenerator) -> tuple[list[Step], list[Step]]:
    allowed = _allowed(deployment, generator)
    sames: list[Step] = []
    deletes: list[Step] = []
    for state in deployment.base.resources:
        if allowed(state.urn):
            step = _delete_step(deployment, generator, state)
            if step is not None:
                deployment.deletes.add(state.urn)
                deployment.registry.ensure(state.provider, deployment.olds)
                deletes.append(step)
        elif not generator.decided.operated_on(state.urn) and not state.delete:
            new = state.copy()
            new.id = ""
            sames.append(SameStep(deployment=deployment, old=state, new=new, untargeted=True))
    _refuse_unspecified(deployment, generator, deletes)
    return sames, deletes


def _delete_step(deployment: Deployment, generator: StepGenerator, state: ResourceState) -> Step | None:
    if state.delete:
        if state in generator.replacing.pending_deletes:
            return None
        return DeleteStep(deployment=deployment, old=state, replacing=True)
    if generator.decided.operated_on(state.urn):
        return None
    if state in generator.replacing.pending_deletes:
        # Deleted before a replacement whose registration never came: only the record is left.
        return (
            RemovePendingReplaceStep(deployment=deployment, old=state) if state.pending_replacement else None
        )
    if state.pending_replacement:
        return RemovePendingReplaceStep(deployment=deployment, old=state)
    return DeleteStep(deployment=deployment, old=state)


class _Allowed:
    def __init__(self, only: set[str] | None, never: set[str]) -> None:
        self._only = only
        self._never = never

    def __call__(self, urn: str) -> bool:
        return (self._only is None or urn in self._only) and urn not in self._never


def _allowed(deployment: Deployment, generator: StepGenerator) -> _Allowed:
    targets, excludes = generator.targeting.targets, generator.targeting.excludes
    if targets.constrained:
        only: set[str] = set()
        for urn in _with_dependents(deployment, targets):
            for state in deployment.all_olds.get(urn, ()):
                only.add(urn)
                if not state.delete:
                    only.update(s.urn for s, _ in generator.replacing.dependents(state))
                    only.update(s.urn for s in generator.replacing.replaced_with(urn))
        return _Allowed(only, set())
    if excludes.constrained:
        return _Allowed(None, _needed_by(deployment, excludes))
    return _Allowed(None, set())


def _with_dependents(deployment: Deployment, targets: UrnTargets) -> set[str]:
    """Targets, what needs them, and their children."""
    found: set[str] = set()
    frontier = [s for s in deployment.base.resources if targets.contains(s.urn)]
    while frontier:
        state = frontier.pop()
        if state.urn not in found:
            frontier += deployment.graph.depending_on(state, found, include_children=True)
            found.add(state.urn)
    return found


def _needed_by(deployment: Deployment, excludes: UrnTargets) -> set[str]:
    """Excluded resources and what they need."""
    found: set[str] = set()
    frontier = [s for s in deployment.base.resources if excludes.contains(s.urn)]
    while frontier:
        state = frontier.pop()
        if state.urn in found:
            continue
        found.add(state.urn)
        frontier += deployment.graph.dependencies_of(state)
        if deployment.options.exclude_dependents:
            frontier += deployment.graph.depending_on(state, found, include_children=True)
    return found


def _refuse_unspecified(deployment: Deployment, generator: StepGenerator, deletes: list[Step]) -> None:
    targets = generator.targeting.targets
    if not targets.constrained or deployment.options.target_dependents:
        return
    refused = False
    for step in deletes:
        if not targets.contains(step.urn):
            refused = True
            deployment.error(
                f"Resource '{step.urn}' will be destroyed but was not specified in --target list.\n"
                "Either include resource in --target list or pass --target-dependents to proceed.",
                step.urn,
            )
    if refused:
        generator.decided.failed = True
        if not deployment.preview:
            raise BailError("delete untargeted resource")


def perform_refresh(deployment: Deployment, generator: StepGenerator, *, marked_only: bool = False) -> None:
    """Read every recorded resource (that is targeted) and take what is there as the old state.

    `marked_only`: only those whose provider asked to be read before each update. Raises BailError (reported).
    """
    targets = generator.targeting.targets.copy()
    excludes = generator.targeting.excludes.copy()
    generator.targeting.report_unknown(targets)
    generator.targeting.report_unknown(excludes)
    steps: dict[ResourceState, RefreshStep] = {}
    for state in deployment.base.resources:
        if marked_only and not state.refresh_before_update:
            continue
        if not _refreshed(deployment, state, targets, excludes):
            continue
        deployment.registry.ensure(state.provider, deployment.olds)
        steps[state] = RefreshStep(deployment=deployment, old=state, new=state)
    generator.executor.run_parallel(list(steps.values()))
    rebuilt = rebuild(deployment.base, steps)
    deployment.set_base(rebuilt)
    if deployment.snapshots is not None:
        deployment.snapshots.rebase(rebuilt)
    if generator.executor.failed:
        raise BailError("refresh failed")


def _refreshed(
    deployment: Deployment, state: ResourceState, targets: UrnTargets, excludes: UrnTargets
) -> bool:
    options = deployment.options
    needs = state.all_dependencies()
    if excludes.constrained:
        if excludes.contains(state.urn):
            return False
        if options.exclude_dependents and any(excludes.contains(u) for u in needs):
            excludes.add(state.urn)
            return False
        return True
    if targets.contains(state.urn):
        return True
    if options.target_dependents and any(targets.contains(u) for u in needs):
        targets.add(state.urn)
        return True
    return False


def rebuild(base: Snapshot, steps: dict[ResourceState, RefreshStep]) -> Snapshot:
    """The snapshot after a refresh: vanished resources are gone, references to them too."""
    resources: list[ResourceState] = []
    present: set[str] = set()
    parents: dict[str, str] = {}
    for state in base.resources:
        step = steps.get(state)
        new = state if step is None else step.new
        if step is not None and step.deleted:
            # Children of a vanished parent move up to its own parent.
            parents[state.urn] = state.parent if state.parent in present else parents.get(state.parent, "")
            continue
        if new is None:
            continue
        _drop_missing(new, present)
        if new.parent and new.parent not in present:
            new.parent = parents.get(new.parent, "")
        resources.append(new)
        present.add(new.urn)
    operations = [op for op in base.operations if op.type == "creating"]
    return Snapshot(resources, operations, base.secrets_state, base.exists)


def _drop_missing(state: ResourceState, present: set[str]) -> None:
    if any(u not in present for u in state.dependencies):
        state.dependencies = [u for u in state.dependencies if u in present]
    if state.property_dependencies:
        kept = {k: [u for u in v if u in present] for k, v in state.property_dependencies.items()}
        state.property_dependencies = {k: v for k, v in kept.items() if v}
    if state.deleted_with and state.deleted_with not in present:
        state.deleted_with = ""
    if any(u not in present for u in state.replace_with):
        state.replace_with = [u for u in state.replace_with if u in present]
