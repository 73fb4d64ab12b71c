"""EndpointDefaults: which deployment a batch endpoint runs by default, set once the deployment exists."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from mldeploy.provider.azure import arm
from mldeploy.provider.framework.resource import CheckError, Context, Field, Resource

_API = "2025-12-01"


class EndpointDefaults(Resource):
    """The `defaults.deploymentName` of a batch endpoint. An endpoint is created before its deployments, so this can't
    be one of the endpoint's own inputs."""

    token = "mldeploy:azure:EndpointDefaults"  # noqa: S105
    description = "The default deployment of an Azure ML batch endpoint."
    inputs = {
        "endpoint_id": Field(kind="string", required=True, description="The endpoint's resource id."),
        "deployment": Field(
            kind="string",
            required=True,
            replaces=False,
            description="The deployment's name, which must exist.",
        ),
    }
    outputs = {}

    def check(self, ctx: Context, olds: Mapping[str, Any], news: dict[str, Any]) -> dict[str, Any]:
        """The id is one of a batch endpoint."""
        ident = news.get("endpoint_id")
        if isinstance(ident, str) and "/batchendpoints/" not in ident.lower():
            raise CheckError(("endpoint_id", f"is {ident!r}, not the id of a batch endpoint"))
        return {}

    def create(self, ctx: Context, inputs: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
        """Point the endpoint at the deployment."""
        self._set(ctx, str(inputs["endpoint_id"]), str(inputs["deployment"]))
        return f"{inputs['endpoint_id']}/defaults", {}

    def read(
        self, ctx: Context, ident: str, state: Mapping[str, Any], inputs: Mapping[str, Any]
    ) -> tuple[dict[str, Any], dict[str, Any]] | None:
        """What the endpoint says; gone with the endpoint."""
        found = arm.call(ctx, "GET", str(state["endpoint_id"]), _API, missing_ok=True)
        if found is None:
            return None
        now = _default(found)
        return dict(state) | {"deployment": now}, {"deployment": now}

    def update(
        self,
        ctx: Context,
        ident: str,
        state: Mapping[str, Any],
        olds: Mapping[str, Any],
        news: Mapping[str, Any],
    ) -> dict[str, Any]:
        """Point it at another."""
        self._set(ctx, str(news["endpoint_id"]), str(news["deployment"]))
        return {}

    def delete(self, ctx: Context, ident: str, state: Mapping[str, Any]) -> None:
        """Clear it, when it is still this one: a deployment can't be deleted while it is the default."""
        endpoint = str(state["endpoint_id"])
        found = arm.call(ctx, "GET", endpoint, _API, missing_ok=True)
        if found is not None and _default(found) == state["deployment"]:
            self._put(ctx, endpoint, found, None)

    def _set(self, ctx: Context, endpoint: str, deployment: str) -> None:
        found = arm.call(ctx, "GET", endpoint, _API) or {}
        if _default(found) != deployment:
            self._put(ctx, endpoint, found, deployment)

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
