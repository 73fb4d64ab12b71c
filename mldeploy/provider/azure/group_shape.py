"""GroupShape: says in a preview that a container group will be down for some minutes, and why."""

from __future__ import annotations

from typing import Any

from mldeploy.provider.framework.declare import Declaration, In, Opt, field
from mldeploy.provider.framework.resource import Change, Context, Diff, Resource

_MINUTES = 3


class GroupShapeFields(Declaration, token="mldeploy:azure:GroupShape"):
    """What of a container group cannot change in place."""

    service: In[str] = field("The service's name.")
    cpu_cores: In[float] = field("CPUs.", replaces=False)
    memory_gb: In[float] = field("Memory in GB.", replaces=False)
    network: Opt[str] = field("The subnet's id, or empty.", default=None, replaces=False)
    zone: Opt[str] = field("The availability zone, or empty.", default=None, replaces=False)


class GroupShape(Resource[GroupShapeFields]):
    """What Azure Container Instances cannot change in place. Nothing on Azure belongs to it: its diff is the message
    that a plain "replace" in a preview does not give."""

    def diff(self, ctx: Context, change: Change[GroupShapeFields]) -> Diff:
        """Says what the change means."""
        found = super().diff(ctx, change)
        if found.details and not found.replaces:
            old, new = change.old.plain(), change.new.plain()
            changed = ", ".join(
                f"{name} {old.get(name)} -> {new.get(name)}" for name in sorted(found.details)
            )
            ctx.warn(
                f"service {change.new.service}: {changed}: Container Instances cannot change that in place, so the "
                f"group is recreated: about {_MINUTES} minutes down"
            )
        return found

    def create(self, ctx: Context, inputs: GroupShapeFields) -> tuple[str, dict[str, Any]]:
        """Remember it."""
        return f"shape-{inputs.service}", {}
