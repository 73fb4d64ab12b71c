"""Diffs of registrations: the provider's word, and what options make of it."""

from __future__ import annotations

from mldeploy.engine.base.errors import EngineError
from mldeploy.engine.base.goal import Goal
from mldeploy.engine.base.state import ResourceState
from mldeploy.engine.base.urn import parse_provider_reference
from mldeploy.engine.core.decisions import Decisions
from mldeploy.engine.core.deployment import Deployment
from mldeploy.engine.core.diff import resolve_unknown
from mldeploy.engine.plugins.provider import DIFF_NONE, DIFF_SOME, DiffUnavailableError, ProviderDiff
from mldeploy.engine.plugins.registry import AnyProvider, filter_config
from mldeploy.values.property_path import parse_path, reset_path
from mldeploy.values.property_value import PropertyMap, contains_unknowns, deep_equals, reveal


def ignore_changes(
    deployment: Deployment, urn: str, inputs: PropertyMap, old_inputs: PropertyMap, paths: list[str]
) -> PropertyMap:
    """Inputs with what is to be ignored set to what it was."""
    invalid: list[str] = []
    for text in paths:
        try:
            path = parse_path(text)
        except ValueError:
            continue
        inputs, ok = reset_path(path, old_inputs, inputs)
        if not ok:
            invalid.append(text)
    if invalid:
        listed = ", ".join(invalid)
        deployment.events.diagnostic(
            "info", f'cannot ignore changes in added or removed elements of the path: "{listed}"', urn
        )
    return inputs


class ResourceDiffer:
    """Part of the step generator; provider calls are made without its lock."""

    def __init__(self, decided: Decisions) -> None:
        self._decided = decided
        self._deployment = decided.deployment

    def diff(
        self,
        goal: Goal,
        urn: str,
        old: ResourceState,
        new: ResourceState,
        provider: AnyProvider | None,
    ) -> ProviderDiff:
        """What the change means. Raises BailError, EngineError."""
        trigger = self._triggered(urn, old, new)
        if trigger is not None:
            return trigger
        if self._decided.is_replace_target(urn, old):
            return ProviderDiff(DIFF_SOME, replace_keys=["id"])
        with self._decided.lock:
            if any(other in self._decided.replaces for other in new.replace_with):
                return ProviderDiff(DIFF_SOME, replace_keys=["replaceWith"])
        if self._provider_changed(old, new):
            return ProviderDiff(DIFF_SOME, replace_keys=["provider"])
        if provider is None:
            return ProviderDiff(DIFF_NONE if deep_equals(old.inputs, new.inputs) else DIFF_SOME)
        try:
            diff = provider.diff(
                old.change_to(
                    new.inputs, urn=urn, preview=self._deployment.preview, ignore=goal.ignore_changes
                )
            )
        except DiffUnavailableError as error:
            self._deployment.events.diagnostic("warning", str(error), urn)
            return ProviderDiff(DIFF_SOME)
        ignored = ignore_changes(self._deployment, urn, new.inputs, old.inputs, goal.ignore_changes)
        return resolve_unknown(diff, old.inputs, ignored)

    def _triggered(self, urn: str, old: ResourceState, new: ResourceState) -> ProviderDiff | None:
        before, after = reveal(old.replacement_trigger), reveal(new.replacement_trigger)
        unknown = contains_unknowns(after) or contains_unknowns(before)
        if contains_unknowns(after) and not self._deployment.preview:
            raise self._decided.bail(f"replacement trigger contains unknowns for {urn}", urn)
        if unknown or (before is not None and after is not None and not deep_equals(before, after)):
            return ProviderDiff(DIFF_SOME, triggered=True)
        return None

    def _provider_changed(self, old: ResourceState, new: ResourceState) -> bool:
        if old.provider == new.provider:
            return False
        if not old.provider or not new.provider:
            return True
        before, after = parse_provider_reference(old.provider), parse_provider_reference(new.provider)
        with self._decided.lock:
            if self._decided.aliases.taken_by.get(before.urn) == after.urn:
                return False
            old_state = self._deployment.olds.get(before.urn)
            new_state = self._decided.providers.get(after.urn)
        provider = self._deployment.registry.get(after)
        if provider is None or old_state is None or new_state is None:
            raise EngineError(f"failed to resolve provider reference: {new.provider}")
        diff = provider.diff_config(
            after.urn, filter_config(old_state.inputs), old_state.outputs, filter_config(new_state.inputs), []
        )
        return diff.replaces()
