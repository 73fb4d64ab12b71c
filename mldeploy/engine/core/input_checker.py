"""Checks of inputs: the provider's word on what the program asks for, with what is to be ignored left as it was."""

from __future__ import annotations

from mldeploy.engine.base.calls import CheckCall
from mldeploy.engine.base.errors import BailError
from mldeploy.engine.base.goal import Goal
from mldeploy.engine.base.state import ResourceState
from mldeploy.engine.core.decisions import Decisions
from mldeploy.engine.core.resource_diff import ignore_changes
from mldeploy.engine.plugins.registry import AnyProvider
from mldeploy.values.property_value import PropertyMap, mask_secrets


class InputChecker:
    """Part of the step generator; provider calls are made without its lock."""

    def __init__(self, decided: Decisions) -> None:
        self._decided = decided
        self._deployment = decided.deployment

    def check(
        self,
        goal: Goal,
        old: ResourceState | None,
        new: ResourceState,
        provider: AnyProvider | None,
        seed: bytes,
        *,
        included: bool,
        recreating: bool,
    ) -> PropertyMap:
        """The inputs as the provider has them. Raises BailError for what it does not allow."""
        inputs = new.inputs
        if old is not None:
            inputs = ignore_changes(self._deployment, new.urn, inputs, old.inputs, goal.ignore_changes)
        if provider is None:
            return inputs
        if not included:
            return old.inputs if old is not None else inputs
        olds: PropertyMap = {}
        fresh = old is None or recreating or old.external or self._decided.is_replace_target(new.urn, old)
        if fresh:
            inputs = goal.properties
            # An interrupted create may have made the object: the same generated names find it again.
            interrupted = self._deployment.pending_creates.get(new.urn)
            if interrupted is not None:
                olds = interrupted.inputs
        elif old is not None:
            olds = old.inputs
        checked, failures = provider.check(
            CheckCall(urn=new.urn, olds=olds, news=inputs, preview=self._deployment.preview, seed=seed)
        )
        if failures:
            raise self._failures(new, failures)
        return checked

    def _failures(self, new: ResourceState, failures: list[tuple[str, str]]) -> BailError:
        for name, reason in failures:
            where = f"{new.type} resource '{new.name}'"
            if name:
                value = mask_secrets(new.inputs.get(name))
                self._deployment.error(
                    f"{where} has a problem: {reason}. Examine values at '{new.name}.{name}'."
                    if value is None
                    else f"{where}: property {name} value {value!r} has a problem: {reason}",
                    new.urn,
                )
            else:
                self._deployment.error(f"{where} has a problem: {reason}", new.urn)
        self._decided.failed = True
        return BailError(f"resource {new.urn} is invalid")
