"""The provider registry: provider resources are resources whose objects are configured plugins."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable
from typing import Any

from mldeploy.engine.base.calls import ChangeCall, CheckCall, Checked, CreateCall, DeleteCall, ReadCall
from mldeploy.engine.base.errors import ProviderError
from mldeploy.engine.base.state import ResourceState
from mldeploy.engine.base.urn import (
    UNCONFIGURED_ID,
    UNKNOWN_ID,
    ProviderReference,
    is_provider_type,
    parse_provider_reference,
    provider_package,
    urn_type,
)
from mldeploy.engine.plugins.provider import (
    DIFF_NONE,
    DIFF_SOME,
    DIFF_UNKNOWN,
    Created,
    PluginProvider,
    ProviderDiff,
    ReadResult,
    Updated,
)
from mldeploy.values.property_value import PropertyMap, deep_equals

INTERNAL_KEY = "__internal"
# Loads (package, version, download URL).
Loader = Callable[[str, str, str], PluginProvider]


def filter_config(inputs: PropertyMap) -> PropertyMap:
    """Provider inputs without what belongs to the engine."""
    return {key: value for key, value in inputs.items() if key != INTERNAL_KEY}


def set_version(inputs: PropertyMap, version: str) -> None:
    """Record the provider's version, the way Pulumi does."""
    inputs["version"] = version
    inputs.setdefault(INTERNAL_KEY, {})


def set_internal(inputs: PropertyMap, key: str, value: Any) -> None:
    """Record something about the provider that its plugin does not see."""
    inputs[INTERNAL_KEY] = {**inputs.get(INTERNAL_KEY, {}), key: value}


class ProviderRegistry:
    """Answers the provider calls for provider resources, and holds the configured ones by reference."""

    def __init__(self, load: Loader, builtins: PluginProvider) -> None:
        self._load = load
        self._builtins = builtins
        self._lock = threading.RLock()
        self._providers: dict[tuple[str, str], PluginProvider] = {}
        self._aliases: dict[str, str] = {}
        self._all: list[PluginProvider] = []

    def get(self, reference: ProviderReference) -> PluginProvider | None:
        """The configured provider, None when it has not been registered yet."""
        with self._lock:
            return self._providers.get((reference.urn, reference.id))

    def register_alias(self, urn: str, alias: str) -> None:
        """A provider known under `alias` in old states is `urn` now."""
        with self._lock:
            self._aliases[urn] = alias

    def _set(self, urn: str, id_: str, provider: PluginProvider) -> None:
        with self._lock:
            self._providers[urn, id_] = provider
            alias = self._aliases.get(urn)
            if alias is not None:
                self._providers[alias, id_] = provider

    def _pop(self, urn: str, id_: str) -> PluginProvider | None:
        with self._lock:
            return self._providers.pop((urn, id_), None)

    def _load_for(self, urn: str, inputs: PropertyMap) -> PluginProvider:
        package = provider_package(urn_type(urn))
        if package == "pulumi":
            return self._builtins
        internal: dict[str, Any] = inputs.get(INTERNAL_KEY) or {}
        version = str(inputs.get("version") or "")
        provider = self._load(package, version, str(internal.get("pluginDownloadURL") or ""))
        with self._lock:
            self._all.append(provider)
        return provider

    def close(self) -> None:
        """End every plugin."""
        with self._lock:
            providers, self._all = self._all, []
        for provider in providers:
            provider.close()

    def cancel(self) -> None:
        """Ask every plugin to come to an end."""
        with self._lock:
            providers = list(self._all)
        for provider in providers:
            provider.cancel()

    def same(self, state: ResourceState, *, from_check: bool) -> None:
        """Make sure the provider of an unchanged provider resource is configured."""
        if not state.id or state.id == UNKNOWN_ID:
            raise ProviderError(f"provider '{state.urn}' has an unknown ID")
        with self._lock:
            if (state.urn, state.id) in self._providers:
                return
            provider = self._pop(state.urn, UNCONFIGURED_ID) if from_check else None
            if provider is None:
                provider = self._load_for(state.urn, state.inputs)
            try:
                provider.configure(state.urn, state.id, filter_config(state.inputs))
            except ProviderError as error:
                raise ProviderError(f"configure provider '{state.urn}': {error}", error.code) from error
            self._set(state.urn, state.id, provider)

    def ensure(self, reference: str, olds: dict[str, ResourceState]) -> None:
        """Load the provider of an old state that the program did not register."""
        if not reference:
            return
        parsed = parse_provider_reference(reference)
        if self.get(parsed) is not None:
            return
        state = olds.get(parsed.urn)
        if state is None or state.id != parsed.id:
            raise ProviderError(f"provider {reference} is not in the state")
        self.same(state, from_check=False)

    # -- the provider calls, for resources that are providers ----------------------------------------------

    def check(self, call: CheckCall) -> Checked:
        """Checked inputs of a provider resource."""
        urn, news = call.urn, call.news
        provider = self._load_for(urn, news)
        inputs, failures = provider.check_config(urn, filter_config(call.olds), filter_config(news))
        if failures:
            return {}, failures
        self._set(urn, UNCONFIGURED_ID, provider)
        inputs = dict(inputs)
        for key in ("version", INTERNAL_KEY):
            if key in news:
                inputs.setdefault(key, news[key])
        if not deep_equals(inputs.get("version"), news.get("version")):
            raise ProviderError(
                f"provider {urn!r} attempted to change version from {news.get('version')!r}"
                f" to {inputs.get('version')!r}"
            )
        return inputs, []

    def diff(self, call: ChangeCall) -> ProviderDiff:
        """What a change of a provider's configuration means."""
        urn = call.urn
        provider = self.get(ProviderReference(urn, UNCONFIGURED_ID)) or self.get(
            ProviderReference(urn, call.id)
        )
        if provider is None:
            raise ProviderError(f"provider {urn} was never checked")
        filtered = filter_config(call.news)
        diff = provider.diff_config(
            urn, filter_config(call.old_inputs), call.old_outputs, filtered, call.ignore
        )
        if diff.changes == DIFF_UNKNOWN:
            diff.changes = DIFF_NONE if deep_equals(call.old_outputs, filtered) else DIFF_SOME
        return diff

    def create(self, call: CreateCall) -> Created:
        """Configure a new provider; its id is made up here."""
        provider = self._pop(call.urn, UNCONFIGURED_ID) or self._load_for(call.urn, call.inputs)
        id_ = UNKNOWN_ID if call.preview else str(uuid.uuid4())
        filtered = filter_config(call.inputs)
        provider.configure(call.urn, id_, filtered)
        self._set(call.urn, id_, provider)
        return id_, filtered, False

    def update(self, call: ChangeCall) -> Updated:
        """Configure a provider anew under its old id."""
        provider = self._pop(call.urn, UNCONFIGURED_ID)
        if provider is None:
            raise ProviderError(f"provider {call.urn} was never checked")
        filtered = filter_config(call.news)
        provider.configure(call.urn, call.id, filtered)
        self._set(call.urn, call.id, provider)
        return filtered, False

    def delete(self, call: DeleteCall) -> None:
        """Let a provider go."""
        provider = self._pop(call.urn, call.id)
        if provider is not None:
            provider.close()

    def read(self, call: ReadCall) -> ReadResult:
        """Providers cannot be read."""
        raise ProviderError(f"provider resources may not be read: {call.urn}")


AnyProvider = PluginProvider | ProviderRegistry


def owner_of(type_: str, registry: ProviderRegistry, reference: str, urn: str) -> AnyProvider:
    """Who serves a resource: its provider, or the registry when it is a provider itself."""
    if is_provider_type(type_):
        return registry
    provider = registry.get(parse_provider_reference(reference)) if reference else None
    if provider is None:
        raise ProviderError(f"unknown provider '{reference}' for resource {urn}")
    return provider
