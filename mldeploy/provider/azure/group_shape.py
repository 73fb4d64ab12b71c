"""GroupShape: says in a preview that a container group will be down for some minutes, and why."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mldeploy.provider.framework.resource import Context, Diff, Field, Resource

_MINUTES = 3


class GroupShape(Resource):
    """What Azure Container Instances cannot change in place. Nothing on Azure belongs to it: its diff is the message
    that a plain "replace" in a preview does not give."""

    token = "mldeploy:azure:GroupShape"  # noqa: S105
    description = "What of a container group cannot change in place."
    inputs = {
        "service": Field(kind="string", required=True, description="The service's name."),
        "cpu_cores": Field(kind="number", required=True, replaces=False, description="CPUs."),
        "memory_gb": Field(kind="number", required=True, replaces=False, description="Memory in GB."),
        "network": Field(kind="string", replaces=False, description="The subnet's id, or empty."),
        "zone": Field(kind="string", replaces=False, description="The availability zone, or empty."),
    }
    outputs = {}

    def diff(
        self,
        ctx: Context,
        ident: str,
        state: Mapping[str, Any],
        olds: Mapping[str, Any],
        news: Mapping[str, Any],
    ) -> Diff:
        """Says what the change means."""
        found = super().diff(ctx, ident, state, olds, news)
        if found.details and not found.replaces:
            changed = ", ".join(
                f"{name} {olds.get(name)} -> {news.get(name)}" for name in sorted(found.details)
            )
            ctx.warn(
                f"service {news['service']}: {changed}: Container Instances cannot change that in place, so the "
                f"group is recreated: about {_MINUTES} minutes down"
            )
        return found

    def preview(self, ctx: Context, inputs: Mapping[str, Any]) -> dict[str, Any]:
        """There is nothing more."""
        return {}

    def create(self, ctx: Context, inputs: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
        """Remember it."""
        return f"shape-{inputs['service']}", {}

    def read(
        self, ctx: Context, ident: str, state: Mapping[str, Any], inputs: Mapping[str, Any]
    ) -> tuple[dict[str, Any], dict[str, Any]] | None:
        """It lives in the state only."""
        return dict(state), {}

    def update(
        self,
        ctx: Context,
        ident: str,
        state: Mapping[str, Any],
        olds: Mapping[str, Any],
        news: Mapping[str, Any],
    ) -> dict[str, Any]:
        """Remember it."""
        return {}

    def delete(self, ctx: Context, ident: str, state: Mapping[str, Any]) -> None:
        """Forget it."""
