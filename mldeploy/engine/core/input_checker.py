"""Checks of inputs: the provider's word on what the program asks for, with what is to be ignored left as it was."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mldeploy.engine.base.errors import BailError
from mldeploy.engine.base.goal import Goal
from mldeploy.engine.base.state import ResourceState
from mldeploy.engine.plugins.calls import CheckCall
from mldeploy.engine.plugins.registry import AnyProvider
from mldeploy.values.property_value import PropertyMap, mask_secrets

if TYPE_CHECKING:
    from mldeploy.engine.core.step_generator import StepGenerator


class InputChecker:
    """Part of the step generator; provider calls are made without its lock."""

    def __init__(self, generator: StepGenerator) -> None:
        self._generator = generator
        self._deployment = generator.deployment

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
            inputs = self._generator.differ.ignore_changes(new.urn, inputs, old.inputs, goal.ignore_changes)
        if provider is None:
            return inputs
        if not included:
            return old.inputs if old is not None else inputs
        olds: PropertyMap = {}
        fresh = old is None or recreating or old.external or self._generator.is_replace_target(new.urn, old)
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
        self._generator.failed = True
        return BailError(f"resource {new.urn} is invalid")
