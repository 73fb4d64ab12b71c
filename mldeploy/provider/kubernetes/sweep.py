"""Versions: nothing but the removal of a service's versions, also of one that has never been routed to."""

from __future__ import annotations

from typing import Any

from mldeploy.provider.framework.resource import Change, Context, Diff, Resource
from mldeploy.provider.kubernetes.fields import PlaceFields, without_credentials
from mldeploy.provider.kubernetes.versions import remove, versions


class VersionsFields(PlaceFields, token="mldeploy:kubernetes:Versions"):
    """The versions of a service in the cluster; removing this removes them."""


class Versions(Resource[VersionsFields]):
    """Made before a service's first version, and so removed after the last one. It is there as long as the stack names
    it.

    A version's objects outlive their resources, and the rollout removes them. A service whose first version has not
    passed its gate has no rollout.
    """

    def diff(self, ctx: Context, change: Change[VersionsFields]) -> Diff:
        """Only another place is a difference."""
        return without_credentials(super().diff(ctx, change), change)

    def create(self, ctx: Context, inputs: VersionsFields) -> tuple[str, dict[str, Any]]:
        """There is nothing to make."""
        return inputs.ident, {}

    def delete(self, ctx: Context, ident: str, state: VersionsFields) -> None:
        """Every version that is still in the cluster."""
        for name in versions(state.place):
            remove(state.place, name)
