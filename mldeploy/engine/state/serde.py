"""Deployments as JSON: resources, operations and property values of Pulumi's state format."""

from __future__ import annotations

import base64
import json
import math
import struct
from typing import Any

from mldeploy.engine.base.errors import StateError, UnsupportedError
from mldeploy.engine.base.state import PendingOperation, ResourceState
from mldeploy.engine.project.secrets import SecretsManager
from mldeploy.values.property_path import format_path
from mldeploy.values.property_value import (
    ARCHIVE_SIG,
    ASSET_SIG,
    BYTE_STRING_SIG,
    FLOAT_SIG,
    RESOURCE_SIG,
    SECRET_SIG,
    SIG_KEY,
    UNKNOWN,
    UNKNOWN_STRING,
    Archive,
    Asset,
    Output,
    PropertyMap,
    ResourceReference,
    SealedSecret,
    Secret,
    Value,
    is_list,
    is_map,
    lower_outputs,
)

# JSON key, attribute; in the order in which Pulumi writes them.
_FIELDS = (
    ("urn", "urn"),
    ("custom", "custom"),
    ("delete", "delete"),
    ("id", "id"),
    ("type", "type"),
    ("inputs", "inputs"),
    ("outputs", "outputs"),
    ("parent", "parent"),
    ("protect", "protect"),
    ("taint", "taint"),
    ("external", "external"),
    ("dependencies", "dependencies"),
    ("initErrors", "init_errors"),
    ("provider", "provider"),
    ("propertyDependencies", "property_dependencies"),
    ("pendingReplacement", "pending_replacement"),
    ("additionalSecretOutputs", "additional_secret_outputs"),
    ("aliases", "aliases"),
    ("customTimeouts", "custom_timeouts"),
    ("importID", "import_id"),
    ("retainOnDelete", "retain_on_delete"),
    ("deletedWith", "deleted_with"),
    ("replaceWith", "replace_with"),
    ("created", "created"),
    ("modified", "modified"),
    ("sourcePosition", "source_position"),
    ("stackTrace", "stack_trace"),
    ("ignoreChanges", "ignore_changes"),
    ("hideDiff", "hide_diff"),
    ("replaceOnChanges", "replace_on_changes"),
    ("replacementTrigger", "replacement_trigger"),
    ("refreshBeforeUpdate", "refresh_before_update"),
)
_KNOWN = {key for key, _ in _FIELDS}
_PROPERTIES = frozenset({"inputs", "outputs", "replacementTrigger"})
_ALWAYS = frozenset({"urn", "custom", "type"})
# What this engine understands of deployments in format 4.
SUPPORTED_FEATURES = frozenset({"refreshBeforeUpdate", "taint", "replaceWith", "byteString"})


class Serializer:
    """Turns states into JSON values. `manager` encrypts secrets; None writes them out (`show_secrets`)."""

    def __init__(self, manager: SecretsManager | None) -> None:
        self._manager = manager
        self.features: set[str] = set()

    def resource(self, state: ResourceState) -> dict[str, Any]:
        """A ResourceV3 object; empty fields are left out as Pulumi leaves them out."""
        result: dict[str, Any] = {}
        for key, attribute in _FIELDS:
            value = getattr(state, attribute)
            if key in _ALWAYS:
                result[key] = value
            elif value:
                result[key] = self.value(value) if key in _PROPERTIES else value
        if "propertyDependencies" in result:
            result["propertyDependencies"] = dict(sorted(state.property_dependencies.items()))
        self.features |= state_features(result)
        return result

    def rendered(self, state: ResourceState) -> tuple[bytes, frozenset[str]]:
        """A resource as JSON, and the features of format 4 that it needs."""
        before, self.features = self.features, set()
        text = dumps(self.resource(state))
        needed, self.features = frozenset(self.features), before
        return text, needed

    def operation(self, operation: PendingOperation) -> dict[str, Any]:
        """An OperationV2 object."""
        return {"resource": self.resource(operation.resource), "type": operation.type}

    def value(self, value: Value) -> Any:
        """A property value as JSON."""
        kind: object = type(value)  # pyright: ignore[reportUnknownVariableType]
        if kind is str:
            return self._text(value)
        if kind is bool or kind is int or value is None:
            return value
        if kind is dict:
            items: dict[str, Any] = value
            return {key: self.value(items[key]) for key in sorted(items)}
        if kind is list:
            elements: list[Any] = value
            return [self.value(item) for item in elements]
        if kind is float:
            return _number(value)
        return self._special(value)

    def _text(self, value: str) -> Any:
        if value.isascii():
            return value
        try:
            value.encode()
        except UnicodeEncodeError:
            self.features.add("byteString")
            raw = value.encode("utf-8", "surrogateescape")
            return {SIG_KEY: BYTE_STRING_SIG, "value": base64.b64encode(raw).decode()}
        return value

    def _special(self, value: Value) -> Any:
        if value is UNKNOWN:
            return UNKNOWN_STRING
        if isinstance(value, Secret):
            return self._secret(value)
        if isinstance(value, Output):
            return self.value(lower_outputs(value))
        if isinstance(value, ResourceReference):
            result = {SIG_KEY: RESOURCE_SIG, "packageVersion": value.package_version, "urn": value.urn}
            if value.id is not None:
                result["id"] = "" if value.id is UNKNOWN else value.id
            return dict(sorted(result.items()))
        if isinstance(value, Asset | Archive):
            return asset_object(value)
        raise TypeError(f"{type(value).__name__} is no property value")

    def _secret(self, value: Secret) -> dict[str, Any]:
        if self._manager is not None and value.ciphertext is not None:
            return {SIG_KEY: SECRET_SIG, "ciphertext": value.ciphertext}
        plaintext = json.dumps(Serializer(None).value(value.value), separators=(",", ":"), ensure_ascii=False)
        if self._manager is None:
            return {SIG_KEY: SECRET_SIG, "plaintext": plaintext}
        value.ciphertext = self._manager.crypter.encrypt(plaintext)
        return {SIG_KEY: SECRET_SIG, "ciphertext": value.ciphertext}


def state_features(resource: dict[str, Any]) -> set[str]:
    """What a recorded resource needs of format 4 (`ApplyFeatures`); byte strings are noted where they are written."""
    return {feature for feature in ("refreshBeforeUpdate", "taint", "replaceWith") if resource.get(feature)}


def asset_object(value: Asset | Archive) -> dict[str, Any]:
    """An asset or archive as the object that states and messages hold."""
    result: dict[str, Any] = {SIG_KEY: ASSET_SIG if isinstance(value, Asset) else ARCHIVE_SIG}
    if value.hash:
        result["hash"] = value.hash
    if isinstance(value, Archive):
        if value.assets is not None:
            result["assets"] = {k: asset_object(v) for k, v in sorted(value.assets.items())}
    elif value.text:
        result["text"] = value.text
    if value.path:
        result["path"] = value.path
    if value.uri:
        result["uri"] = value.uri
    return result


def _number(value: float) -> Any:
    if math.isfinite(value):
        return int(value) if value.is_integer() and abs(value) < 1e21 else value
    return {SIG_KEY: FLOAT_SIG, "value": struct.pack(">d", value).hex()}


class Deserializer:
    """Reads states from JSON values."""

    def __init__(self, manager: SecretsManager | None, *, sealed: bool = False) -> None:
        self._manager = manager
        self._sealed = sealed

    def resource(self, data: dict[str, Any]) -> ResourceState:
        """A state. Raises StateError on malformed, UnsupportedError on foreign content."""
        urn = data.get("urn")
        if not isinstance(urn, str) or not urn:
            raise StateError("a resource in the state has no urn")
        if not data.get("type"):
            raise StateError(f"resource {urn!r} in the state has no type")
        foreign = sorted(key for key in data.keys() - _KNOWN if data[key])
        if foreign:
            raise UnsupportedError(
                f"the state uses {', '.join(foreign)} on {urn}, which the embedded engine does not support"
            )
        state = ResourceState(urn=urn, type=data["type"])
        # Early states of this engine hold paths as lists, which the CLI does not read: written anew, they are texts.
        if any(is_list(path) for path in data.get("hideDiff") or ()):
            paths: list[Any] = data["hideDiff"]
            data = {**data, "hideDiff": [format_path(p) if is_list(p) else p for p in paths]}
        for key, attribute in _FIELDS:
            if key in data and data[key] is not None:
                setattr(state, attribute, self.value(data[key]) if key in _PROPERTIES else data[key])
        if not state.custom and state.id:
            raise StateError(f"resource {urn!r} in the state is a component but has an id")
        return state

    def operation(self, data: dict[str, Any]) -> PendingOperation:
        """A pending operation."""
        return PendingOperation(self.resource(data["resource"]), data["type"])

    def value(self, data: Any) -> Value:
        """A property value."""
        kind: object = type(data)  # pyright: ignore[reportUnknownVariableType]
        if kind is str:
            return UNKNOWN if data == UNKNOWN_STRING else data
        if kind is dict:
            items: dict[str, Any] = data
            if SIG_KEY in items:
                return self._special(items)
            return {key: self.value(value) for key, value in items.items()}
        if kind is list:
            elements: list[Any] = data
            return [self.value(item) for item in elements]
        if kind is float and data.is_integer() and abs(data) < 2**53:
            return int(data)
        return data

    def _special(self, data: dict[str, Any]) -> Value:
        sig = data[SIG_KEY]
        if sig == SECRET_SIG:
            return self._secret(data)
        if sig == ASSET_SIG:
            return Asset(data.get("hash", ""), data.get("text"), data.get("path"), data.get("uri"))
        if sig == ARCHIVE_SIG:
            assets: dict[str, Any] | None = data.get("assets")
            parsed = None if assets is None else {k: self._special(v) for k, v in assets.items()}
            return Archive(data.get("hash", ""), parsed, data.get("path"), data.get("uri"))
        if sig == RESOURCE_SIG:
            reference: Value = None
            if "id" in data:
                reference = UNKNOWN if data["id"] in ("", None, UNKNOWN_STRING) else data["id"]
            return ResourceReference(data["urn"], reference, data.get("packageVersion", ""))
        if sig == FLOAT_SIG:
            return struct.unpack(">d", bytes.fromhex(data["value"]))[0]
        if sig == BYTE_STRING_SIG:
            return base64.b64decode(data["value"]).decode("utf-8", "surrogateescape")
        raise UnsupportedError(f"the state holds a value of an unknown kind (signature {sig})")

    def _secret(self, data: dict[str, Any]) -> Secret:
        plaintext, ciphertext = data.get("plaintext"), data.get("ciphertext")
        if (plaintext is None) == (ciphertext is None):
            raise StateError("malformed secret in the state: it needs either a plaintext or a ciphertext")
        if ciphertext is not None:
            if self._manager is None:
                raise StateError("the state holds secrets but names no secrets provider")
            if self._sealed:
                return SealedSecret(str(ciphertext), lambda: self._opened(str(ciphertext)))
            plaintext = self._manager.crypter.decrypt(ciphertext)
        return Secret(Deserializer(None).value(json.loads(str(plaintext))), ciphertext)

    def _opened(self, ciphertext: str) -> Value:
        assert self._manager is not None
        return Deserializer(None).value(json.loads(self._manager.crypter.decrypt(ciphertext)))


def dumps(data: Any) -> bytes:
    """Compact JSON in UTF-8, as the file backend writes it."""
    return json.dumps(data, separators=(",", ":"), ensure_ascii=False).encode()


def properties(value: PropertyMap) -> dict[str, Any]:
    """Properties as plain JSON with secrets masked, for events and displays."""
    return {key: _masked(item) for key, item in value.items()}


def _masked(value: Value) -> Any:
    if isinstance(value, Secret):
        return {SIG_KEY: SECRET_SIG, "ciphertext": "[secret]"}
    if is_map(value):
        items: dict[str, Any] = value
        return {key: _masked(item) for key, item in items.items()}
    if is_list(value):
        elements: list[Any] = value
        return [_masked(item) for item in elements]
    return _OPEN.value(value)


_OPEN = Serializer(None)
