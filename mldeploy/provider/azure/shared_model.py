"""SharedModel: a model's version in a workspace that is not the stack's own, where others register models too."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final, cast

from mldeploy.provider.azure import arm
from mldeploy.provider.azure.arm import ArmError
from mldeploy.provider.framework import waiting
from mldeploy.provider.framework.declare import Declaration, In, Or, Out, Texts, field, output
from mldeploy.provider.framework.resource import Change, Context, Live, ProvisionError, Resource

_API: Final = "2025-12-01"
DIGEST: Final = "mldeploy.digest"
_DATASTORE_SECONDS: Final = 10 * 60.0
_NOTHING: Final[Mapping[str, str]] = MappingProxyType({})


class SharedModelFields(Declaration, token="mldeploy:azure:SharedModel"):
    """A model's version in an Azure ML workspace that several stacks share."""

    workspace_id: In[str] = field("The workspace's resource id.")
    name: In[str] = field("The model's name.")
    version: In[str] = field("Its version.")
    content: In[str] = field("SHA-256 of its content.")
    uri: In[str] = field("Where its files are.", replaces=False)
    model_type: In[str] = field("`custom_model` and the like.")
    description: Or[str] = field("For people.", default="", replaces=False)
    tags: Texts = field("Tags.", default=_NOTHING, replaces=False)
    properties: Texts = field("Facts that never change.", default=_NOTHING)
    asset_id: Out[str] = output("The version's resource id.")
    owned: Out[bool] = output("Whether it was registered here.", default=False)

    @property
    def ident(self) -> str:
        """The version's resource id."""
        return f"{self.workspace_id}/models/{self.name}/versions/{self.version}"

    @property
    def words(self) -> dict[str, Any]:
        """What may change."""
        return {"description": self.description, "tags": dict(self.tags)}


class SharedModel(Resource[SharedModelFields]):
    """The same content under the same name and version is adopted, other content is refused, and only what was made
    here is deleted."""

    delete_before_replace = True

    def create(self, ctx: Context, inputs: SharedModelFields) -> tuple[str, dict[str, Any]]:
        """Register it, or find it registered."""
        ident = inputs.ident
        found = arm.call(ctx, "GET", ident, _API, missing_ok=True)
        if found is not None:
            _same(inputs, found)
            return ident, {"asset_id": ident, "owned": False}
        container = ident.rsplit("/versions/", 1)[0]
        if arm.call(ctx, "GET", container, _API, missing_ok=True) is None:
            arm.call(ctx, "PUT", container, _API, {"properties": inputs.words})
        _put(ctx, ident, inputs, inputs.uri)
        return ident, {"asset_id": ident, "owned": True}

    def read(
        self, ctx: Context, ident: str, state: SharedModelFields, inputs: SharedModelFields
    ) -> Live | None:
        """Whether it is still there."""
        return None if arm.call(ctx, "GET", ident, _API, missing_ok=True) is None else Live()

    def update(self, ctx: Context, change: Change[SharedModelFields]) -> dict[str, Any]:
        """Description and tags, if it is ours; the files are where they were registered."""
        if change.state.owned:
            _put(ctx, change.id, change.new, change.old.uri)
        return {"asset_id": change.id, "owned": change.state.owned}

    def delete(self, ctx: Context, ident: str, state: SharedModelFields) -> None:
        """What was registered here; the model itself goes with its last version."""
        if not state.owned:
            return
        arm.call(ctx, "DELETE", ident, _API, missing_ok=True)
        container = ident.rsplit("/versions/", 1)[0]
        left = arm.call(ctx, "GET", f"{container}/versions", _API, missing_ok=True)
        if left is not None and not left.get("value"):
            arm.call(ctx, "DELETE", container, _API, missing_ok=True)


def _put(ctx: Context, ident: str, inputs: SharedModelFields, uri: str) -> None:
    properties: dict[str, Any] = {
        **inputs.words,
        "modelType": inputs.model_type,
        "modelUri": uri,
        "properties": {**inputs.properties, DIGEST: inputs.content},
    }

    def attempt() -> None:
        try:
            arm.call(ctx, "PUT", ident, _API, {"properties": properties})
        except ArmError as error:
            if "datastore" in error.message:
                raise waiting.NotYetError(error.message) from None
            raise

    waiting.patiently(
        ctx,
        attempt,
        what=f"the workspace to know the datastore of {inputs.name}",
        limit=_DATASTORE_SECONDS,
        advice="look for the datastore in the workspace",
    )


def _same(inputs: SharedModelFields, found: Mapping[str, Any]) -> None:
    """Raises:
    ProvisionError: another content has this name and version.
    """
    properties = cast("dict[str, Any]", found.get("properties") or {})
    digest = str(cast("dict[str, Any]", properties.get("properties") or {}).get(DIGEST) or "")
    if digest != inputs.content and properties.get("modelUri") != inputs.uri:
        theirs = f"the content {digest[:12]}…" if digest else f"the files at {properties.get('modelUri')}"
        raise ProvisionError(
            f"model {inputs.name}: version {inputs.version} is registered in this workspace already, with {theirs}; "
            f"this one is {inputs.content[:12]}…: give it another version, or another name"
        )
