"""The `pulumi` package's own resources and functions: stack references and resource lookups."""

# ruff: noqa: S105 - "token" is a function's name

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

from mldeploy.engine.base.calls import ChangeCall, CheckCall, Checked, CreateCall, DeleteCall, ReadCall
from mldeploy.engine.base.errors import ProviderError, UnsupportedError
from mldeploy.engine.base.state import ResourceState
from mldeploy.engine.base.urn import urn_type
from mldeploy.engine.plugins.provider import (
    DIFF_NONE,
    DIFF_SOME,
    Created,
    LocalProvider,
    ProviderDiff,
    ReadResult,
    Updated,
)
from mldeploy.values.property_value import (
    UNKNOWN,
    PropertyMap,
    contains_secrets,
    deep_equals,
    reveal,
)

STACK_REFERENCE = "pulumi:pulumi:StackReference"
OutputsReader = Callable[[str], PropertyMap]
Lookup = Callable[[str], ResourceState | None]


class BuiltinProvider(LocalProvider):
    """Served by the engine itself. `outputs_of` reads another stack's outputs, `lookup` finds a resource."""

    def __init__(self, outputs_of: OutputsReader, lookup: Lookup) -> None:
        super().__init__("pulumi")
        self._outputs_of = outputs_of
        self._lookup = lookup

    def check(self, call: CheckCall) -> Checked:
        """Stack references need a name."""
        news = call.news
        self._known_type(call.urn)
        if urn_type(call.urn) == STACK_REFERENCE:
            extra = sorted(set(news) - {"name"})
            if extra:
                return news, [(extra[0], f"unknown property {extra[0]!r}")]
            if "name" not in news:
                return news, [("name", "missing required property 'name'")]
            name = reveal(news["name"])
            if not isinstance(name, str) and name is not UNKNOWN:
                return news, [("name", "property 'name' must be a string")]
        return dict(news), []

    def diff(self, call: ChangeCall) -> ProviderDiff:
        """Another stack's name is another reference."""
        self._known_type(call.urn)
        if not deep_equals(call.old_inputs.get("name"), call.news.get("name")):
            return ProviderDiff(DIFF_SOME, replace_keys=["name"])
        return ProviderDiff(DIFF_NONE)

    def create(self, call: CreateCall) -> Created:
        """A new reference."""
        self._known_type(call.urn)
        return "" if call.preview else str(uuid.uuid4()), self._read_stack(call.inputs), False

    def update(self, call: ChangeCall) -> Updated:
        """Never needed: a changed name replaces."""
        raise ProviderError(f"unexpected update of {call.urn}")

    def delete(self, call: DeleteCall) -> None:
        """Nothing outside the state."""
        self._known_type(call.urn)

    def read(self, call: ReadCall) -> ReadResult:
        """The other stack's outputs as they are now."""
        self._known_type(call.urn)
        names = call.inputs if call.inputs and "name" in call.inputs else call.state
        return ReadResult(call.id, dict(names), self._read_stack(names))

    def invoke(self, token: str, args: PropertyMap, *, preview: bool) -> Checked:
        """`getResource`, `readStackOutputs`, `readStackResourceOutputs` (refused)."""
        del preview
        if token == "pulumi:pulumi:getResource":
            return self._get_resource(args), []
        if token == "pulumi:pulumi:readStackOutputs":
            name = str(reveal(args.get("name")))
            return {"name": name, "outputs": self._outputs_of(name)}, []
        raise UnsupportedError(f"function {token} is not supported by the embedded engine")

    def _get_resource(self, args: PropertyMap) -> PropertyMap:
        urn = str(reveal(args.get("urn")))
        state = self._lookup(urn)
        if state is None:
            raise ProviderError(f"unknown resource {urn}")
        result: dict[str, Any] = {"urn": urn, "state": state.outputs}
        result["id"] = state.id
        return result

    def _read_stack(self, inputs: PropertyMap) -> PropertyMap:
        name = reveal(inputs.get("name"))
        if name is UNKNOWN:
            return {"name": UNKNOWN, "outputs": UNKNOWN, "secretOutputNames": UNKNOWN}
        outputs = self._outputs_of(str(name))
        secret_names = sorted(k for k, v in outputs.items() if contains_secrets(v))
        return {"name": inputs["name"], "outputs": outputs, "secretOutputNames": secret_names}

    @staticmethod
    def _known_type(urn: str) -> None:
        if urn_type(urn) != STACK_REFERENCE:
            raise UnsupportedError(f"resource type {urn_type(urn)} is not supported by the embedded engine")
