"""Versions: nothing but the removal of a service's versions, also of one that has never been routed to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from mldeploy.provider.framework.resource import Context, Diff, Field, Resource
from mldeploy.provider.kubernetes.fields import PLACE, place, without_credentials
from mldeploy.provider.kubernetes.versions import remove, versions


class Versions(Resource):
    """Made before a service's first version, and so removed after the last one.

    A version's objects outlive their resources, and the rollout removes them. A service whose first version has not
    passed its gate has no rollout.
    """

    token = "mldeploy:kubernetes:Versions"  # noqa: S105
    description = "The versions of a service in the cluster; removing this removes them."
    inputs = PLACE
    outputs: ClassVar[Mapping[str, Field]] = {}

    def diff(
        self,
        ctx: Context,
        ident: str,
        state: Mapping[str, Any],
        olds: Mapping[str, Any],
        news: Mapping[str, Any],
    ) -> Diff:
        """Only another place is a difference."""
        return without_credentials(super().diff(ctx, ident, state, olds, news), olds, news)

    def create(self, ctx: Context, inputs: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
        """There is nothing to make."""
        return f"{inputs['namespace']}/{inputs['service']}", {}

    def read(
        self, ctx: Context, ident: str, state: Mapping[str, Any], inputs: Mapping[str, Any]
    ) -> tuple[dict[str, Any], dict[str, Any]] | None:
        """It is there as long as the stack names it."""
        return dict(state), {}

    def update(
        self,
        ctx: Context,
        ident: str,
        state: Mapping[str, Any],
        olds: Mapping[str, Any],
        news: Mapping[str, Any],
    ) -> dict[str, Any]:
        """There is nothing to change."""
        return {}

    def delete(self, ctx: Context, ident: str, state: Mapping[str, Any]) -> None:
        """Every version that is still in the cluster."""
        service = place(state)
        for name in versions(service):
            remove(service, name)
