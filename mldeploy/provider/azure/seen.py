"""Seen: a resource that was just made, or a value that it gets later, is there for others too."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, cast

from mldeploy.provider.azure import arm
from mldeploy.provider.framework import waiting
from mldeploy.provider.framework.declare import Declaration, In, Opt, Out, field, output
from mldeploy.provider.framework.resource import Change, CheckError, Context, Resource, known

_SECONDS: Final = 10 * 60.0


class SeenFields(Declaration, token="mldeploy:azure:Seen"):
    """That a resource, or a property of it, is there."""

    resource_id: In[str] = field("The resource's id.")
    api_version: In[str] = field("The API version to ask with.", replaces=False)
    property_path: Opt[str] = field("Where in the resource a text has to be: `properties.a.b`.", default=None)
    born: Opt[str] = field("Another value: the resource was made anew.", default=None)
    value: Out[str] = output("The property's value, or empty.", default="")


class Seen(Resource[SeenFields]):
    """Asks Resource Manager until it answers. Who uses what Azure tells its parts later (a datastore, a cluster's
    issuer) comes after this. What was seen was seen."""

    def check(self, ctx: Context, old: SeenFields, new: SeenFields) -> dict[str, Any]:
        """It is an id."""
        ident = new.resource_id
        if known(ident) and not ident.lower().startswith("/subscriptions/"):
            raise CheckError(("resource_id", f"is {ident!r}; allowed: a resource's id, /subscriptions/…"))
        return {}

    def create(self, ctx: Context, inputs: SeenFields) -> tuple[str, dict[str, Any]]:
        """Wait for it."""
        ident, path = inputs.resource_id, inputs.property_path or ""

        def attempt() -> str:
            found = arm.call(ctx, "GET", ident, inputs.api_version, missing_ok=True)
            if found is None:
                raise waiting.NotYetError("not found")
            value = _at(found, path) if path else ""
            if path and not value:
                raise waiting.NotYetError(f"no {path}")
            return value

        value = waiting.patiently(
            ctx, attempt, what=ident, limit=_SECONDS, advice="look at it in the portal; `up` then goes on"
        )
        return f"{ident}#{path}" if path else f"{ident}#seen", {"value": value}

    def update(self, ctx: Context, change: Change[SeenFields]) -> dict[str, Any]:
        """Another API version says the same."""
        return {"value": change.state.value}


def _at(found: Mapping[str, Any], path: str) -> str:
    value: Any = found
    for name in path.split("."):
        value = cast("Mapping[str, Any]", value).get(name) if isinstance(value, Mapping) else None
    return str(value or "")
