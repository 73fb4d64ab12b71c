"""EndpointDefaults: which deployment a batch endpoint runs by default, set once the deployment exists."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from mldeploy.provider.azure import arm
from mldeploy.provider.framework.declare import Declaration, In, Opt, field
from mldeploy.provider.framework.resource import Change, CheckError, Context, Live, Resource, known

_API = "2025-12-01"


class EndpointDefaultsFields(Declaration, token="mldeploy:azure:EndpointDefaults"):
    """The default deployment of an Azure ML batch endpoint."""

    endpoint_id: In[str] = field("The endpoint's resource id.")
    deployment: In[str] = field("The deployment's name, which must exist.", replaces=False)
    revision: Opt[str] = field(
        "Another value: the endpoint was written anew, which clears what was left out.",
        default=None,
        replaces=False,
    )


class EndpointDefaults(Resource[EndpointDefaultsFields]):
    """The `defaults.deploymentName` of a batch endpoint. An endpoint is created before its deployments, so this can't
    be one of the endpoint's own inputs."""

    def check(self, ctx: Context, old: EndpointDefaultsFields, new: EndpointDefaultsFields) -> dict[str, Any]:
        """The id is one of a batch endpoint."""
        ident = new.endpoint_id
        if known(ident) and "/batchendpoints/" not in ident.lower():
            raise CheckError(("endpoint_id", f"is {ident!r}, not the id of a batch endpoint"))
        return {}

    def create(self, ctx: Context, inputs: EndpointDefaultsFields) -> tuple[str, dict[str, Any]]:
        """Point the endpoint at the deployment."""
        self._set(ctx, inputs)
        return f"{inputs.endpoint_id}/defaults", {}

    def read(
        self, ctx: Context, ident: str, state: EndpointDefaultsFields, inputs: EndpointDefaultsFields
    ) -> Live | None:
        """What the endpoint says; gone with the endpoint."""
        found = arm.call(ctx, "GET", state.endpoint_id, _API, missing_ok=True)
        if found is None:
            return None
        now = {"deployment": _default(found)}
        return Live(now, now)

    def update(self, ctx: Context, change: Change[EndpointDefaultsFields]) -> dict[str, Any]:
        """Point it at another."""
        self._set(ctx, change.new)
        return {}

    def delete(self, ctx: Context, ident: str, state: EndpointDefaultsFields) -> None:
        """Clear it, when it is still this one: a deployment can't be deleted while it is the default."""
        found = arm.call(ctx, "GET", state.endpoint_id, _API, missing_ok=True)
        if found is not None and _default(found) == state.deployment:
            self._put(ctx, state.endpoint_id, found, None)

    def _set(self, ctx: Context, inputs: EndpointDefaultsFields) -> None:
        found = arm.call(ctx, "GET", inputs.endpoint_id, _API) or {}
        if _default(found) != inputs.deployment:
            self._put(ctx, inputs.endpoint_id, found, inputs.deployment)

    @staticmethod
    def _put(ctx: Context, endpoint: str, found: dict[str, Any], deployment: str | None) -> None:
        """PATCH of this type takes tags only: the whole endpoint is written again, as Microsoft's own client does."""
        properties = cast("dict[str, Any]", found.get("properties") or {})
        kept = {
            name: properties[name]
            for name in ("authMode", "description", "properties")
            if properties.get(name)
        }
        body = {
            name: found[name] for name in ("location", "tags", "identity", "kind", "sku") if found.get(name)
        }
        body["properties"] = kept | {"defaults": {"deploymentName": deployment}}
        arm.call(ctx, "PUT", endpoint, _API, body)


def _default(endpoint: Mapping[str, Any]) -> str:
    properties = cast("dict[str, Any]", endpoint.get("properties") or {})
    defaults = cast("dict[str, Any]", properties.get("defaults") or {})
    return str(defaults.get("deploymentName") or "")
