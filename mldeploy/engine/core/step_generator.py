"""The step generator: from a registration and the recorded state to the steps that bring them together."""

from __future__ import annotations

import hashlib
import os
from typing import Any

from mldeploy.engine.base.errors import EngineError
from mldeploy.engine.base.goal import Goal, ReadGoal
from mldeploy.engine.base.state import ResourceState
from mldeploy.engine.base.urn import (
    ROOT_STACK_TYPE,
    child_urn,
    is_provider_type,
    parse_provider_reference,
    urn_qualified_type,
)
from mldeploy.engine.core.decisions import Decisions
from mldeploy.engine.core.deployment import Deployment, Registration
from mldeploy.engine.core.diff import apply_replace_on_changes
from mldeploy.engine.core.input_checker import InputChecker
from mldeploy.engine.core.read_steps import ImportStep, ReadStep
from mldeploy.engine.core.replace import ReplacePlanner
from mldeploy.engine.core.resource_diff import ResourceDiffer
from mldeploy.engine.core.step import CreateStep, ReplaceStep, SameStep, Step, UpdateStep
from mldeploy.engine.core.step_executor import StepExecutor
from mldeploy.engine.core.targeting import Targeting
from mldeploy.engine.plugins.analyzer import Analyzers
from mldeploy.engine.plugins.provider import DIFF_SOME, ProviderDiff
from mldeploy.engine.plugins.registry import AnyProvider, owner_of


class StepGenerator:
    """Called from the monitor's threads; what it remembers of the run is guarded by `lock`."""

    def __init__(self, deployment: Deployment, executor: StepExecutor, analyzers: Analyzers) -> None:
        self.deployment = deployment
        self.executor = executor
        self.analyzers = analyzers
        self.decided = Decisions(deployment)
        self.targeting = Targeting(self.decided)
        self.replacing = ReplacePlanner(self.decided)
        self.differ = ResourceDiffer(self.decided)
        self.checker = InputChecker(self.decided)
        self._seed = os.urandom(32)

    # -- reads -----------------------------------------------------------------------------------------------

    def read(self, goal: ReadGoal) -> Registration:
        """Read a resource Pulumi does not own. Raises BailError, CancelledStepError."""
        registration = Registration()
        with self.decided.lock:
            urn = self._new_urn(goal.parent, goal.type, goal.name)
            old, _ = self._old(urn, goal.name, goal.type, goal.parent, [])
            if not goal.id:
                raise self.decided.bail(f"Expected an ID for {urn}", urn)
            new = ResourceState(
                urn=urn,
                type=goal.type,
                custom=True,
                id=goal.id,
                inputs=goal.properties,
                parent=goal.parent,
                external=True,
                dependencies=goal.dependencies,
                provider=goal.provider,
                additional_secret_outputs=goal.additional_secret_outputs,
            )
            steps: list[Step]
            common: dict[str, Any] = {"deployment": self.deployment, "old": old, "new": new}
            if old is not None and not old.external and old.id != goal.id:
                self.decided.replaces.add(urn)
                steps = [ReadStep(**common, done=registration.done, replacing=True), ReplaceStep(**common)]
            else:
                self.decided.reads.add(urn)
                steps = [ReadStep(**common, done=registration.done)]
        self.executor.run_chain(steps)
        return registration

    # -- registrations ---------------------------------------------------------------------------------------

    def register(self, goal: Goal) -> Registration:
        """Bring one resource to its goal. Raises BailError (reported), CancelledStepError, EngineError."""
        registration = Registration()
        with self.decided.lock:
            if goal.parent and goal.parent not in self.decided.urns:
                raise EngineError(f"could not find parent resource {goal.parent}")
            urn = self._new_urn(goal.parent, goal.type, goal.name)
            old, alias = self._old(urn, goal.name, goal.type, goal.parent, goal.aliases)
            self.decided.goals[urn] = goal
            new = self._new_state(goal, urn, old, alias)
            if is_provider_type(goal.type):
                self.decided.providers[urn] = new
                if alias:
                    self.decided.providers[alias] = new
        if self._is_import(goal, old):
            old, new = self._import(goal, old, new)
        steps = self._steps(goal, urn, old, new, registration)
        if steps:
            self.executor.run_chain(steps)
        elif registration.state is None and old is not None:
            registration.done(old, False)
        return registration

    def _new_urn(self, parent: str, type_: str, name: str) -> str:
        identity = self.deployment.identity
        urn = child_urn(identity.stack, identity.project, parent, type_, name)
        if urn in self.decided.urns:
            raise self.decided.bail(f"Duplicate resource URN '{urn}'; try giving it a unique name", urn)
        self.decided.urns.add(urn)
        return urn

    def _old(
        self, urn: str, name: str, type_: str, parent: str, aliases: list[Any]
    ) -> tuple[ResourceState | None, str]:
        """The recorded state that is meant, and the old URN when it was found by an alias."""
        candidates = self.decided.aliases.candidates(name, type_, parent, aliases)
        claimed = self.decided.aliases.taken_by.get(urn)
        if claimed is not None:
            raise self.decided.bail(
                f"Duplicate resource URN '{urn}' conflicting with alias on resource with URN '{claimed}'", urn
            )
        for candidate in [urn, *candidates]:
            old = self.deployment.olds.get(candidate)
            if old is None:
                continue
            if candidate == urn:
                return old, ""
            other = (
                candidate if candidate in self.decided.urns else self.decided.aliases.taken_by.get(candidate)
            )
            if other is not None:
                raise self.decided.bail(
                    f"Duplicate resource alias '{candidate}' applied to resource with URN '{urn}' conflicting"
                    f" with resource with URN '{other}'",
                    urn,
                )
            self.decided.aliases.take(candidate, urn)
            self.deployment.registry.register_alias(urn, candidate)
            return old, candidate
        return None, ""

    def _new_state(self, goal: Goal, urn: str, old: ResourceState | None, alias: str) -> ResourceState:
        return ResourceState(
            urn=urn,
            type=goal.type,
            custom=goal.custom,
            inputs=goal.properties,
            parent=goal.parent,
            protect=bool(goal.protect),
            dependencies=goal.dependencies,
            provider=goal.provider,
            property_dependencies=goal.property_dependencies,
            additional_secret_outputs=goal.additional_secret_outputs,
            aliases=[alias] if alias else [],
            custom_timeouts=goal.custom_timeouts,
            import_id=goal.import_id,
            retain_on_delete=bool(goal.retain_on_delete),
            deleted_with=goal.deleted_with,
            replace_with=goal.replace_with,
            created=old.created if old is not None else "",
            modified=old.modified if old is not None else "",
            ignore_changes=goal.ignore_changes,
            hide_diff=goal.hide_diff,
            replace_on_changes=goal.replace_on_changes,
            replacement_trigger=goal.replacement_trigger,
            refresh_before_update=old.refresh_before_update if old is not None else False,
        )

    @staticmethod
    def _is_import(goal: Goal, old: ResourceState | None) -> bool:
        if not goal.custom or not goal.import_id:
            return False
        return old is None or old.external or (old.import_id or old.id) != goal.import_id

    def _import(
        self, goal: Goal, old: ResourceState | None, new: ResourceState
    ) -> tuple[ResourceState, ResourceState]:
        """Take over an object. Afterwards what was imported is the old state of an ordinary registration."""
        step = ImportStep(
            deployment=self.deployment, new=new, ignore_changes=goal.ignore_changes, original=old
        )
        steps: list[Step] = [step]
        if old is not None:
            steps.append(ReplaceStep(deployment=self.deployment, old=old, new=new))
        self.decided.imports.add(new.urn)
        wanted = new.inputs
        self.executor.run_chain(steps)
        fresh = new.copy()
        fresh.id, fresh.inputs, fresh.outputs = "", wanted, {}
        fresh.init_errors = []
        return new, fresh

    # -- deciding --------------------------------------------------------------------------------------------

    def _steps(
        self,
        goal: Goal,
        urn: str,
        old: ResourceState | None,
        new: ResourceState,
        registration: Registration,
    ) -> list[Step]:
        provider = self._provider(goal, urn)
        seed = hashlib.sha256(self._seed + urn.encode()).digest()
        included = self._implicit(urn, goal.type) or self.targeting.included(new)
        with self.decided.lock:
            recreating = urn in self.deployment.deletes
        inputs = self.checker.check(goal, old, new, provider, seed, included=included, recreating=recreating)
        new.inputs = inputs
        if self.analyzers.any and included:
            new.inputs = self.analyzers.remediate_and_analyze(new, goal, self.decided.provider_state(new))
        common: dict[str, Any] = {"deployment": self.deployment, "new": new, "done": registration.done}
        if recreating or (old is not None and old.external):
            return self._recreate(urn, old, common, recreating=recreating)
        if included:
            self.targeting.note(new)
        else:
            self.targeting.note_excluded(new)
        if old is None:
            return self._create(urn, new, registration, included=included)
        if not included:
            with self.decided.lock:
                return self.targeting.untargeted_sames(urn, old, registration)
        diff = self.differ.diff(goal, urn, old, new, provider)
        with self.decided.lock:
            if urn in self.deployment.deletes:
                return self._recreate(urn, old, common, recreating=True)
            steps = self._from_diff(goal, urn, old, new, provider, diff, registration, seed)
        return self.targeting.validate(steps)

    def _implicit(self, urn: str, type_: str) -> bool:
        return is_provider_type(type_) or urn_qualified_type(urn) == ROOT_STACK_TYPE

    def _provider(self, goal: Goal, urn: str) -> AnyProvider | None:
        if not goal.custom:
            return None
        reference = goal.provider
        if reference and not is_provider_type(goal.type):
            parsed = parse_provider_reference(reference)
            if self.deployment.registry.get(parsed) is None:
                self.deployment.registry.ensure(reference, self.deployment.olds)
        return owner_of(goal.type, self.deployment.registry, reference, urn)

    def _recreate(
        self, urn: str, old: ResourceState | None, common: dict[str, Any], *, recreating: bool
    ) -> list[Step]:
        with self.decided.lock:
            if recreating:
                self.deployment.deletes.discard(urn)
                self.decided.replaces.add(urn)
                keys = self.replacing.dependent_keys.get(urn, [])
                return [
                    ReplaceStep(deployment=self.deployment, old=old, new=common["new"]),
                    CreateStep(**common, old=old, replacing=True, replace_keys=keys),
                ]
            self.decided.creates.add(urn)
            return [
                CreateStep(**common, old=old, replacing=True, pending_delete=True),
                ReplaceStep(deployment=self.deployment, old=old, new=common["new"]),
            ]

    def _create(
        self, urn: str, new: ResourceState, registration: Registration, *, included: bool
    ) -> list[Step]:
        with self.decided.lock:
            if not included:
                self.decided.sames.add(urn)
                self.decided.skipped_creates.add(urn)
                return [
                    SameStep(deployment=self.deployment, new=new, done=registration.done, skipped_create=True)
                ]
            self.decided.creates.add(urn)
        steps: list[Step] = [CreateStep(deployment=self.deployment, new=new, done=registration.done)]
        return self.targeting.validate(steps)

    def _from_diff(
        self,
        goal: Goal,
        urn: str,
        old: ResourceState,
        new: ResourceState,
        provider: AnyProvider | None,
        diff: ProviderDiff,
        registration: Registration,
        seed: bytes,
    ) -> list[Step]:
        init_errors = bool(old.init_errors)
        try:
            diff = apply_replace_on_changes(diff, goal.replace_on_changes, has_init_errors=init_errors)
        except ValueError as error:
            raise self.decided.bail(str(error), urn) from None
        if diff.changes == DIFF_SOME or old.pending_replacement:
            if diff.replaces() or old.pending_replacement:
                return self.replacing.plan(goal, old, new, provider, diff, registration, seed)
            self.decided.updates.add(urn)
            return [self._update(goal, old, new, diff, registration)]
        if init_errors:
            # Unchanged but unhealthy: an empty update gives it another chance.
            self.decided.updates.add(urn)
            return [self._update(goal, old, new, diff, registration)]
        if urn in self.decided.imports:
            registration.done(old, False)
            return []
        self.decided.sames.add(urn)
        return [SameStep(deployment=self.deployment, old=old, new=new, done=registration.done)]

    def _update(
        self,
        goal: Goal,
        old: ResourceState,
        new: ResourceState,
        diff: ProviderDiff,
        registration: Registration,
    ) -> Step:
        return UpdateStep(
            deployment=self.deployment,
            old=old,
            new=new,
            done=registration.done,
            stable_keys=diff.stable_keys,
            diff_keys=diff.changed_keys,
            detailed=diff.detailed,
            ignore_changes=goal.ignore_changes,
        )
