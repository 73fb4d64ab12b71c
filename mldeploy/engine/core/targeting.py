"""`--target`, `--exclude` and their dependents: which resources an operation may touch."""

from __future__ import annotations

from mldeploy.engine.base.errors import BailError
from mldeploy.engine.base.options import UrnTargets
from mldeploy.engine.base.state import ResourceState
from mldeploy.engine.base.urn import parse_provider_reference
from mldeploy.engine.core.decisions import Decisions
from mldeploy.engine.core.deployment import Registration
from mldeploy.engine.core.step import SameStep, Step


class Targeting:
    """Part of the step generator."""

    def __init__(self, decided: Decisions) -> None:
        self._decided = decided
        self._deployment = decided.deployment
        options = self._deployment.options
        self.targets = UrnTargets(options.targets)
        self.excludes = UrnTargets(options.excludes)
        self._actual_targets = self.targets.copy()
        self._actual_excludes = self.excludes.copy()

    def exclude(self, urns: list[str]) -> None:
        """Leave these out, too."""
        for urn in urns:
            self.excludes.add(urn)
            self._actual_excludes.add(urn)

    def included(self, state: ResourceState) -> bool:
        """Whether the resource takes part."""
        if self.targets.constrained:
            return self._targeted(state)
        if self.excludes.constrained:
            return not self._excluded(state)
        return True

    def _needs(self, state: ResourceState, which: UrnTargets) -> bool:
        urns = state.all_dependencies()
        if state.provider:
            urns.append(parse_provider_reference(state.provider).urn)
        return any(which.contains(urn) for urn in urns)

    def _targeted(self, state: ResourceState) -> bool:
        if self.targets.contains(state.urn):
            return True
        return self._deployment.options.target_dependents and self._needs(state, self._actual_targets)

    def _excluded(self, state: ResourceState) -> bool:
        if self.excludes.contains(state.urn):
            return True
        return self._deployment.options.exclude_dependents and self._needs(state, self._actual_excludes)

    def note(self, state: ResourceState) -> None:
        """Remember a resource that takes part, for its dependents."""
        if self.targets.constrained and self._targeted(state):
            self._actual_targets.add(state.urn)

    def note_excluded(self, state: ResourceState) -> None:
        """Remember a resource that is left out, for its dependents."""
        if self.excludes.constrained and self._excluded(state):
            self._actual_excludes.add(state.urn)

    def unknown(self, targets: UrnTargets) -> list[str]:
        """Targets that name no resource, old or new."""
        known = self._decided.urns
        return sorted(u for u in targets.literals if u not in self._deployment.all_olds and u not in known)

    def report_unknown(self, targets: UrnTargets) -> None:
        """Raise BailError when a target names nothing."""
        missing = self.unknown(targets)
        for urn in missing:
            hint = (
                ""
                if "$" in urn
                else (
                    " If this resource has a parent, be sure to specify the resource's entire URN, including"
                    " its parent's types; in a shell, quote URNs with a dollar sign."
                )
            )
            self._deployment.error(f"Target '{urn}' could not be found in the stack.{hint}")
        if missing:
            raise BailError("one or more targets could not be found in the stack")

    def untargeted_sames(self, urn: str, old: ResourceState, registration: Registration | None) -> list[Step]:
        """Keep a recorded resource as it is, and whatever it needs that nobody registered."""
        if old.delete:
            return []
        decided = self._decided
        decided.urns.add(old.urn)
        decided.sames.update((urn, old.urn))
        steps: list[Step] = []
        for needed in self._recorded_needs(old):
            if not decided.generated(needed.urn):
                steps += self.untargeted_sames(needed.urn, needed, None)
        new = old.copy()
        new.id = ""
        done = registration.done if registration is not None else None
        steps.append(SameStep(deployment=self._deployment, old=old, new=new, done=done, untargeted=True))
        return steps

    def _recorded_needs(self, old: ResourceState) -> list[ResourceState]:
        urns = old.all_dependencies()
        if old.provider:
            urns.insert(0, parse_provider_reference(old.provider).urn)
        found: list[ResourceState] = []
        for urn in urns:
            state = self._deployment.olds.get(urn)
            if state is not None:
                found.append(state)
            elif not self._decided.generated(urn):
                message = f"{urn}, which untargeted resource {old.urn} needs, has no old state"
                self._deployment.error(message, old.urn)
                raise BailError(message)
        return found

    def validate(self, steps: list[Step]) -> list[Step]:
        """Raise BailError when a step needs a resource that would have to be created but is not targeted."""
        decided = self._decided
        if not (self.targets.constrained or decided.replace_targets.constrained):
            return steps
        for step in steps:
            if step.new is None or (isinstance(step, SameStep) and step.skipped_create):
                continue
            urns = step.new.all_dependencies()
            if step.new.provider:
                urns.append(parse_provider_reference(step.new.provider).urn)
            for urn in urns:
                if urn in decided.skipped_creates:
                    message = (
                        f"Resource '{step.urn}' depends on '{urn}' which was not specified in --target list."
                    )
                    self._deployment.error(message, step.urn)
                    decided.failed = True
                    if not self._deployment.preview:
                        raise BailError("untargeted create")
                    decided.skipped_creates.discard(urn)
        return steps
