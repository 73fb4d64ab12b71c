"""What a stack's state says of a service, whatever its target."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, cast

from mldeploy.engine import ResourceState
from mldeploy.operations.model import Keys
from mldeploy.values.property_value import reveal

_KEYS: Final = "mldeploy:service:ServiceKeys"


@dataclass(frozen=True)
class Owner:
    """The component that a resource is part of: the service."""

    name: str
    outputs: Mapping[str, Any]
    """In clear; empty when its first `up` did not finish."""
    keys: ResourceState | None


def current(resources: Sequence[ResourceState], kind: str) -> list[ResourceState]:
    """The resources of a type, without those that only wait for their deletion."""
    return [one for one in resources if one.type == kind and not one.delete]


def owner(resources: Sequence[ResourceState], resource: ResourceState) -> Owner:
    """The service that ``resource`` is part of."""
    parent = next((one for one in resources if one.urn == resource.parent and not one.delete), None)
    outputs = cast("dict[str, Any]", reveal(parent.outputs)) if parent else {}
    keys = next((one for one in current(resources, _KEYS) if one.parent == resource.parent), None)
    return Owner(resource.parent.rsplit("::", 1)[-1], outputs, keys)


def keys_of(resource: ResourceState | None) -> Keys | None:
    """The keys in a state; None where there are none."""
    if resource is None:
        return None
    outputs = cast("dict[str, Any]", reveal(resource.outputs))
    return Keys(str(outputs["primary"]), str(outputs["secondary"]))
