"""Planning replacements: create first or delete first, and what has to go along with a deletion."""

from __future__ import annotations

from mldeploy.engine.base.calls import CheckCall
from mldeploy.engine.base.errors import BailError, EngineError
from mldeploy.engine.base.goal import Goal
from mldeploy.engine.base.state import ResourceState
from mldeploy.engine.base.urn import is_provider_type, parse_provider_reference
from mldeploy.engine.core.decisions import Decisions
from mldeploy.engine.core.deployment import Registration
from mldeploy.engine.core.diff import apply_replace_on_changes, resolve_unknown
from mldeploy.engine.core.step import CreateStep, DeleteStep, ReplaceStep, Step
from mldeploy.engine.plugins.provider import ProviderDiff
from mldeploy.engine.plugins.registry import AnyProvider, owner_of
from mldeploy.values.property_value import UNKNOWN, PropertyMap, mask_secrets

_UNPROTECT = (
    "To unprotect the resource, remove the `protect` flag from the resource in your Pulumi program and run"
    " `pulumi up`"
)


class ReplacePlanner:
    """Part of the step generator; called while its lock is held."""

    def __init__(self, decided: Decisions) -> None:
        self._decided = decided
        self._deployment = decided.deployment
        self.dependent_keys: dict[str, list[str]] = {}
        self.pending_deletes: set[ResourceState] = set()

    def plan(
        self,
        goal: Goal,
        old: ResourceState,
        new: ResourceState,
        provider: AnyProvider | None,
        diff: ProviderDiff,
        registration: Registration,
        seed: bytes,
    ) -> list[Step]:
        """Steps that replace `old` by `new`. Raises BailError where protection forbids it."""
        urn = new.urn
        self._refuse_protected(old, new)
        self._refuse_import(goal, old, new, diff)
        self._decided.replaces.add(urn)
        if provider is not None and not self._decided.is_replace_target(urn, old):
            # Defaults were taken over from the old object; the new one gets its own.
            inputs, failures = provider.check(
                CheckCall(urn=urn, olds={}, news=goal.properties, preview=self._deployment.preview, seed=seed)
            )
            if failures:
                reasons = "; ".join(reason for _, reason in failures)
                self._deployment.error(f"{new.type} resource '{new.name}' has a problem: {reasons}", urn)
                raise BailError(f"resource {urn} has check errors")
            new.inputs = inputs
        delete_first = diff.delete_before_replace
        if goal.delete_before_replace is not None:
            delete_first = goal.delete_before_replace
        replace = ReplaceStep(
            deployment=self._deployment,
            old=old,
            new=new,
            replace_keys=diff.replace_keys,
            diff_keys=diff.changed_keys,
            detailed=diff.detailed,
        )
        create = CreateStep(
            deployment=self._deployment,
            old=old,
            new=new,
            done=registration.done,
            replacing=True,
            # What was deleted for an interrupted replacement is not deleted again: its id may be the new one's.
            pending_delete=not delete_first and not old.pending_replacement,
            replace_keys=diff.replace_keys,
            diff_keys=diff.changed_keys,
            detailed=diff.detailed,
        )
        if not delete_first:
            return [create, replace]
        return [*self._delete_first(old, urn), replace, create]

    def _refuse_protected(self, old: ResourceState, new: ResourceState) -> None:
        if not (new.protect and old.protect):
            return
        message = (
            f'unable to replace resource "{new.urn}"\nas it is currently marked for protection. {_UNPROTECT}'
        )
        self._decided.failed = True
        self._deployment.error(message, new.urn)
        if not self._deployment.preview:
            raise BailError(message)

    def _refuse_import(self, goal: Goal, old: ResourceState, new: ResourceState, diff: ProviderDiff) -> None:
        if not goal.import_id:
            return
        changes = "\n".join(
            f"{k}: {mask_secrets(old.inputs.get(k))!r} => {mask_secrets(new.inputs.get(k))!r}"
            for k in diff.replace_keys
        )
        message = (
            "previously-imported resources that still specify an ID may not be replaced; please remove the"
            f" `import` declaration from your program;\n{changes}"
        )
        if not self._deployment.preview:
            raise EngineError(message)
        self._deployment.events.diagnostic("warning", message, new.urn)

    def _delete_first(self, old: ResourceState, urn: str) -> list[Step]:
        """Deletions, dependents first. Each is remembered: it is recreated when its registration comes."""
        steps: list[Step] = []
        dependents = self.dependents(old) if old in self._deployment.graph else []
        dependents += [(state, []) for state in self.replaced_with(urn)]
        for state, keys in reversed(dependents):
            if state in self.pending_deletes:
                continue
            self.dependent_keys[state.urn] = keys
            if state.delete:
                steps.append(DeleteStep(deployment=self._deployment, old=state))
            else:
                if state.protect:
                    message = (
                        f'unable to replace resource "{state.urn}" as part of replacing "{urn}" as it is'
                        f" currently marked for protection. {_UNPROTECT}, or use the command:\n"
                        f"`pulumi state unprotect '{state.urn}'`"
                    )
                    self._decided.failed = True
                    self._deployment.error(message, urn)
                    raise BailError(message)
                steps.append(self._delete_replaced(state))
            self._deployment.deletes.add(state.urn)
            self.pending_deletes.add(state)
        self._deployment.registry.ensure(old.provider, self._deployment.olds)
        if not old.pending_replacement:
            steps.append(self._delete_replaced(old))
        return steps

    def _delete_replaced(self, state: ResourceState) -> Step:
        return DeleteStep(deployment=self._deployment, old=state, replacing=True, pending_replacement=True)

    def replaced_with(self, urn: str) -> list[ResourceState]:
        """Resources that asked to be replaced along with this one."""
        found = [s for s in self._deployment.news.values() if urn in s.replace_with]
        seen = {s.urn for s in found}
        return found + [
            s for s in self._deployment.olds.values() if urn in s.replace_with and s.urn not in seen
        ]

    def dependents(self, root: ResourceState) -> list[tuple[ResourceState, list[str]]]:
        """Recorded resources that a change of `root` would replace, in order, with the keys that cause it."""
        decided = self._decided
        seen_already = (
            decided.reads
            | decided.creates
            | decided.sames
            | decided.updates
            | self._deployment.deletes
            | decided.replaces
        )
        replaced = {root.urn}
        found: list[tuple[ResourceState, list[str]]] = []
        for state in self._deployment.graph.depending_on(root, seen_already, include_children=False):
            needed, keys = self._must_replace(state, replaced)
            if needed:
                found.append((state, keys))
                replaced.add(state.urn)
        return found

    def _must_replace(self, state: ResourceState, replaced: set[str]) -> tuple[bool, list[str]]:
        if not state.custom or state.external:
            return False, []
        registry, olds = self._deployment.registry, self._deployment.olds
        if state.provider and parse_provider_reference(state.provider).urn in replaced:
            registry.ensure(state.provider, olds)
            return True, []
        inputs: PropertyMap = {}
        touched = False
        for key, given in state.inputs.items():
            value = given
            if any(urn in replaced for urn in state.property_dependencies.get(key, ())):
                touched = True
                value = UNKNOWN
            inputs[key] = value
        if not touched:
            return False, []
        if is_provider_type(state.type):
            registry.same(state, from_check=False)
        else:
            registry.ensure(state.provider, olds)
        provider = owner_of(state.type, registry, state.provider, state.urn)
        diff = provider.diff(state.change_to(inputs, preview=True, ignore=state.ignore_changes))
        diff = resolve_unknown(diff, state.inputs, inputs)
        diff = apply_replace_on_changes(diff, state.replace_on_changes, has_init_errors=False)
        return diff.replaces(), diff.replace_keys
