"""Steps as events tell them (`apitype.StepEventMetadata`)."""

from __future__ import annotations

from typing import Any

from mldeploy.engine.base.state import ResourceState
from mldeploy.engine.base.urn import is_provider_type
from mldeploy.engine.core.step import REMOVE_PENDING_REPLACE, Step
from mldeploy.engine.state.serde import properties


def metadata(step: Step, op: str | None = None) -> dict[str, object]:
    """What the events about a step say of it (`apitype.StepEventMetadata`)."""
    told: dict[str, object] = {
        "op": op or step.op,
        "urn": step.urn,
        "type": step.state.type,
        "old": state_event(step.old),
        "new": state_event(step.new),
    }
    if step.replace_keys:
        told["keys"] = step.replace_keys
    if step.diff_keys:
        told["diffs"] = step.diff_keys
    told["detailedDiff"] = summary_properties(step.detailed)
    if step.logical:
        told["logical"] = True
    told["provider"] = step.state.provider
    return told


def silent(step: Step) -> bool:
    """Whether it is the engine's own affair."""
    return step.op == REMOVE_PENDING_REPLACE or is_default_provider(step.state)


def is_default_provider(state: ResourceState) -> bool:
    """Whether the resource is a provider the engine made by itself."""
    return is_provider_type(state.type) and state.name.startswith("default")


def state_event(state: ResourceState | None) -> dict[str, Any] | None:
    """A state inside a step event, secrets masked."""
    if state is None:
        return None
    event: dict[str, Any] = {
        "type": state.type,
        "urn": state.urn,
        "id": state.id,
        "parent": state.parent,
        "inputs": properties(state.inputs),
        "outputs": properties(state.outputs),
        "provider": state.provider,
    }
    if state.custom:
        event["custom"] = True
    flags = {
        "delete": state.delete,
        "protect": state.protect,
        "retainOnDelete": state.retain_on_delete,
        "initErrors": state.init_errors,
    }
    event.update({key: value for key, value in flags.items() if value})
    return event


def summary_properties(diff: dict[str, tuple[str, bool]] | None) -> dict[str, Any] | None:
    """A detailed diff as events show it."""
    if diff is None:
        return None
    return {path: {"diffKind": kind, "inputDiff": inputs} for path, (kind, inputs) in diff.items()}
