"""One provider, in process or behind gRPC: the calls of `pulumirpc.ResourceProvider` with property values."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field

from mldeploy.engine.base.calls import ChangeCall, CheckCall, Checked, CreateCall, DeleteCall, ReadCall
from mldeploy.engine.base.errors import EngineError, InitError, ProviderError
from mldeploy.engine.base.proto import EMPTY, Message, provider
from mldeploy.engine.base.urn import urn_name, urn_type
from mldeploy.engine.plugins.transport import PluginTransport
from mldeploy.values.marshal import Marshaller, unmarshal
from mldeploy.values.property_value import (
    PropertyMap,
    annotate_secrets,
    contains_unknowns,
    reveal,
)

DIFF_UNKNOWN, DIFF_NONE, DIFF_SOME = 0, 1, 2
DIFF_KINDS = ("add", "add-replace", "delete", "delete-replace", "update", "update-replace")


class DiffUnavailableError(EngineError):
    """The provider cannot diff because its own configuration is not known before the update."""


@dataclass(slots=True)
class ProviderDiff:
    """What a provider says about a change. Paths in `detailed` map to (kind of DIFF_KINDS, about inputs)."""

    changes: int = DIFF_UNKNOWN
    replace_keys: list[str] = field(default_factory=list[str])
    stable_keys: list[str] = field(default_factory=list[str])
    changed_keys: list[str] = field(default_factory=list[str])
    detailed: dict[str, tuple[str, bool]] | None = None
    delete_before_replace: bool = False
    # A replacement that no property is the cause of (a trigger): Pulumi names no keys for it.
    triggered: bool = False

    def replaces(self) -> bool:
        """Whether the change needs a new object."""
        detailed = self.detailed or {}
        return (
            self.triggered
            or bool(self.replace_keys)
            or any(kind.endswith("-replace") for kind, _ in detailed.values())
        )


@dataclass(slots=True)
class ReadResult:
    """What a provider found. `id` is empty when the object is gone; `inputs` None when it cannot tell."""

    id: str
    inputs: PropertyMap | None
    outputs: PropertyMap | None
    init_errors: list[str] = field(default_factory=list[str])
    refresh_before_update: bool = False


# Outputs, and whether the provider wants a refresh before updates; a creation's id before them.
Updated = tuple[PropertyMap, bool]
Created = tuple[str, PropertyMap, bool]


def _identity(urn: str) -> dict[str, str]:
    return {"urn": urn, "name": urn_name(urn), "type": urn_type(urn)}


class PluginProvider:
    """A configured provider."""

    def __init__(
        self, transport: PluginTransport, package: str, on_close: Callable[[], None] | None = None
    ) -> None:
        self._transport = transport
        self.package = package
        self._on_close = on_close
        self._secrets = False
        self._resources = False
        self._preview = False
        self.accepts_outputs = False
        """Whether a component's inputs may hold output values; it cannot tell nested secrets and unknowns otherwise."""
        self._unconfigured: ProviderError | None = None
        self._known = True

    def _marshal(self, *, unknowns: bool, assets: bool = True) -> Marshaller:
        return Marshaller(unknowns=unknowns, secrets=self._secrets, resources=self._resources, assets=assets)

    def close(self) -> None:
        """Let the plugin go."""
        if self._on_close is not None:
            self._on_close()

    def cancel(self) -> None:
        """Ask the provider to end what it is doing soon."""
        try:
            self._transport.call("Cancel", EMPTY)
        except EngineError:
            return  # Optional for providers; the engine waits for the running step either way.

    # -- configuration ---------------------------------------------------------------------------------------

    def check_config(self, urn: str, olds: PropertyMap, news: PropertyMap) -> Checked:
        """Checked provider inputs and what is wrong with them."""
        plain = Marshaller(unknowns=True, secrets=False, resources=False)
        request = provider.CheckRequest(**_identity(urn), olds=plain.struct(olds), news=plain.struct(news))
        try:
            response = self._transport.call("CheckConfig", request)
        except ProviderError as error:
            if error.code == "UNIMPLEMENTED":
                return dict(news), []
            raise
        inputs = unmarshal(response.inputs) if response.HasField("inputs") else {}
        annotate_secrets(inputs, news)
        return inputs, [(f.property, f.reason) for f in response.failures]

    def diff_config(
        self,
        urn: str,
        old_inputs: PropertyMap,
        old_outputs: PropertyMap,
        news: PropertyMap,
        ignore: list[str],
    ) -> ProviderDiff:
        """What changes about the provider itself."""
        plain = Marshaller(unknowns=True, secrets=False, resources=False)
        request = provider.DiffRequest(
            **_identity(urn),
            old_inputs=plain.struct(old_inputs),
            olds=plain.struct(old_outputs),
            news=plain.struct(news),
            ignoreChanges=ignore,
        )
        try:
            return _diff(self._transport.call("DiffConfig", request))
        except ProviderError as error:
            if error.code == "UNIMPLEMENTED":
                return ProviderDiff()
            raise

    def configure(self, urn: str, id_: str, inputs: PropertyMap) -> None:
        """Configure it; with unknown inputs it answers previews from what the program says."""
        variables: dict[str, str] = {}
        for key, value in inputs.items():
            if key == "version":
                continue
            if contains_unknowns(value):
                self._known = False
                return
            plain = reveal(value)
            variables[f"{self.package}:config:{key}"] = plain if isinstance(plain, str) else json.dumps(plain)
        request = provider.ConfigureRequest(
            variables=variables,
            args=Marshaller(unknowns=True, secrets=True, resources=True).struct(inputs),
            acceptSecrets=True,
            acceptResources=True,
            sends_old_inputs=True,
            sends_old_inputs_to_delete=True,
            **_identity(urn),
            id=id_,
        )
        try:
            response = self._transport.call("Configure", request)
        except ProviderError as error:
            if error.code != "UNIMPLEMENTED":
                # As with Pulumi, the provider is recorded all the same, and whoever needs it gets the error.
                self._unconfigured = error
            return
        self._secrets = response.acceptSecrets
        self._resources = response.acceptResources
        self._preview = response.supportsPreview
        self.accepts_outputs = bool(response.acceptOutputs)

    def _ask(self, method: str, request: Message) -> Message:
        """A call that needs the configuration. Raises ProviderError, also for a configuration that was refused."""
        if self._unconfigured is not None:
            raise ProviderError(str(self._unconfigured), self._unconfigured.code)
        return self._transport.call(method, request)

    # -- resources -------------------------------------------------------------------------------------------

    def check(self, call: CheckCall) -> Checked:
        """Checked inputs and what is wrong with them."""
        if not self._known:
            return call.news, []
        marshal = self._marshal(unknowns=call.preview)
        request = provider.CheckRequest(
            **_identity(call.urn),
            olds=marshal.struct(call.olds),
            news=marshal.struct(call.news),
            randomSeed=call.seed,
        )
        response = self._ask("Check", request)
        inputs = unmarshal(response.inputs) if response.HasField("inputs") else {}
        if not self._secrets:
            annotate_secrets(inputs, call.news)
        return inputs, [(f.property, f.reason) for f in response.failures]

    def diff(self, call: ChangeCall) -> ProviderDiff:
        """What a change of inputs means. Raises DiffUnavailableError."""
        if not self._known:
            raise DiffUnavailableError(
                "The provider for this resource has inputs that are not known during preview.\n"
                "This preview may not correctly represent the changes that will be applied during an update."
            )
        marshal = self._marshal(unknowns=call.preview, assets=False)
        request = provider.DiffRequest(
            **_identity(call.urn),
            id=call.id,
            old_inputs=marshal.struct(call.old_inputs),
            olds=marshal.struct(call.old_outputs),
            news=marshal.struct(call.news),
            ignoreChanges=call.ignore,
        )
        return _diff(self._ask("Diff", request))

    def create(self, call: CreateCall) -> Created:
        """The new object's id and outputs. Raises InitError when it exists but is not healthy."""
        if call.preview and not self._known:
            return "", {}, False
        if call.preview and not self._preview:
            return "", dict(call.inputs), False
        request = provider.CreateRequest(
            **_identity(call.urn),
            properties=self._marshal(unknowns=call.preview).struct(call.inputs),
            timeout=call.timeout,
            preview=call.preview,
        )
        try:
            response = self._ask("Create", request)
        except InitError as error:
            self._finish(error.properties, call.inputs)
            raise
        if not response.id and not call.preview:
            raise ProviderError(f"plugin returned empty resource.ID from create '{call.urn}'")
        outputs = self._finish(unmarshal(response.properties), call.inputs)
        return response.id, outputs, bool(response.refresh_before_update)

    def read(self, call: ReadCall) -> ReadResult:
        """What is there. Unhealthy objects have `init_errors`."""
        if not self._known:
            return ReadResult(call.id, {}, {})
        marshal = self._marshal(unknowns=False, assets=False)
        request = provider.ReadRequest(
            **_identity(call.urn),
            id=call.id,
            properties=marshal.struct(call.state),
            inputs=None if call.inputs is None else marshal.struct(call.inputs),
            timeout=call.timeout,
        )
        try:
            response = self._ask("Read", request)
        except InitError as error:
            result = ReadResult(error.id, error.inputs, error.properties, error.reasons)
        else:
            result = ReadResult(
                response.id,
                unmarshal(response.inputs) if response.HasField("inputs") else None,
                unmarshal(response.properties) if response.HasField("properties") else None,
                refresh_before_update=bool(response.refresh_before_update),
            )
        if not self._secrets:
            annotate_secrets(result.inputs, call.inputs)
            annotate_secrets(result.outputs, call.state)
        return result

    def update(self, call: ChangeCall) -> Updated:
        """The object's new outputs. Raises InitError when it is not healthy afterwards."""
        if call.preview and not self._known:
            return {}, False
        if call.preview and not self._preview:
            return dict(call.news), False
        olds = self._marshal(unknowns=False, assets=False)
        request = provider.UpdateRequest(
            **_identity(call.urn),
            id=call.id,
            olds=olds.struct(call.old_outputs),
            old_inputs=olds.struct(call.old_inputs),
            news=self._marshal(unknowns=call.preview).struct(call.news),
            timeout=call.timeout,
            ignoreChanges=call.ignore,
            preview=call.preview,
        )
        try:
            response = self._ask("Update", request)
        except InitError as error:
            self._finish(error.properties, call.news)
            raise
        return self._finish(unmarshal(response.properties), call.news), bool(response.refresh_before_update)

    def delete(self, call: DeleteCall) -> None:
        """Remove the object; one that is gone already counts as removed for every good provider."""
        marshal = self._marshal(unknowns=False, assets=False)
        request = provider.DeleteRequest(
            **_identity(call.urn),
            id=call.id,
            properties=marshal.struct(call.outputs),
            old_inputs=marshal.struct(call.inputs),
            timeout=call.timeout,
        )
        self._ask("Delete", request)

    def invoke(self, token: str, args: PropertyMap, *, preview: bool) -> Checked:
        """A function's result and what is wrong with its arguments."""
        if not self._known:
            return {}, []
        request = provider.InvokeRequest(
            tok=token, args=self._marshal(unknowns=False).struct(args), preview=preview
        )
        response = self._ask("Invoke", request)
        result = unmarshal(getattr(response, "return"))
        return result, [(f.property, f.reason) for f in response.failures]

    def construct(self, request: Message) -> Message | None:
        """Have a component made, with its children. None while the configuration is not known."""
        return self._ask("Construct", request) if self._known else None

    def call(self, request: Message) -> Message | None:
        """Call a component's method. None while the configuration is not known."""
        return self._ask("Call", request) if self._known else None

    def _finish(self, outputs: PropertyMap, inputs: PropertyMap) -> PropertyMap:
        if not self._secrets:
            annotate_secrets(outputs, inputs)
        return outputs


class LocalProvider(PluginProvider):
    """A provider without a plugin: there is nothing to configure, every configuration is good."""

    def __init__(self, package: str) -> None:
        super().__init__(PluginTransport(object(), in_process=True, name=package), package)

    def configure(self, urn: str, id_: str, inputs: PropertyMap) -> None:
        """Nothing to configure."""

    def check_config(self, urn: str, olds: PropertyMap, news: PropertyMap) -> Checked:
        """Taken as they are."""
        del urn, olds
        return dict(news), []


def _diff(response: Message) -> ProviderDiff:
    detailed: dict[str, tuple[str, bool]] | None = None
    if response.hasDetailedDiff:
        detailed = {
            path: (DIFF_KINDS[item.kind] if item.kind < len(DIFF_KINDS) else "update", bool(item.inputDiff))
            for path, item in response.detailedDiff.items()
        }
    return ProviderDiff(
        int(response.changes),
        list(response.replaces),
        list(response.stables),
        list(response.diffs),
        detailed,
        bool(response.deleteBeforeReplace),
    )
