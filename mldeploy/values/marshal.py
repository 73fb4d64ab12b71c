"""Property values to and from the protocol's `google.protobuf.Struct`."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from math import copysign
from typing import Any

from mldeploy.engine.base.errors import EngineError
from mldeploy.engine.base.proto import Message, struct
from mldeploy.engine.base.urn import urn_name, urn_type
from mldeploy.values.property_value import (
    ARCHIVE_SIG,
    ASSET_SIG,
    BYTE_STRING_SIG,
    OUTPUT_SIG,
    RESOURCE_SIG,
    SECRET_SIG,
    SIG_KEY,
    UNKNOWN,
    UNKNOWN_STRING,
    UNKNOWN_TEXTS,
    Archive,
    Asset,
    Output,
    PropertyMap,
    ResourceReference,
    Secret,
    Value,
    is_list,
    lower_outputs,
    map_values,
)

_MAX_EXACT = 2**53


def unmarshal(message: Message) -> PropertyMap:
    """Property values of a Struct message. Raises EngineError on a malformed special value."""
    return {key: _from_value(value) for key, value in message.fields.items()}


def unmarshal_value(message: Message) -> Value:
    """One property value of a Value message."""
    return _from_value(message)


def _from_value(message: Message) -> Value:
    kind = message.WhichOneof("kind")
    if kind == "string_value":
        text: str = message.string_value
        return UNKNOWN if len(text) == 36 and text in UNKNOWN_TEXTS else text
    if kind == "number_value":
        number: float = message.number_value
        if not number.is_integer() or abs(number) > _MAX_EXACT:
            return number
        return int(number) if number or copysign(1, number) > 0 else number
    if kind == "bool_value":
        return bool(message.bool_value)
    if kind == "struct_value":
        fields = message.struct_value.fields
        if SIG_KEY in fields:
            return _special({key: _from_value(value) for key, value in fields.items()})
        return {key: _from_value(value) for key, value in fields.items()}
    if kind == "list_value":
        return [_from_value(value) for value in message.list_value.values]
    return None


def _special(fields: dict[str, Any]) -> Value:
    sig = fields[SIG_KEY]
    if sig == SECRET_SIG:
        if "value" not in fields:
            raise EngineError("malformed secret in a message: it has no value")
        inner = fields["value"]
        return inner if isinstance(inner, Secret) else Secret(inner)
    if sig == OUTPUT_SIG:
        known = "value" in fields and fields["value"] is not UNKNOWN
        return Output(
            fields.get("value"),
            known,
            bool(fields.get("secret")),
            _texts(fields.get("dependencies")),
        )
    if sig == RESOURCE_SIG:
        return ResourceReference(
            str(fields["urn"]), _reference_id(fields), str(fields.get("packageVersion") or "")
        )
    if sig == ASSET_SIG:
        return Asset(str(fields.get("hash") or ""), fields.get("text"), fields.get("path"), fields.get("uri"))
    if sig == ARCHIVE_SIG:
        return Archive(
            str(fields.get("hash") or ""), fields.get("assets"), fields.get("path"), fields.get("uri")
        )
    if sig == BYTE_STRING_SIG:
        return base64.b64decode(fields["value"]).decode("utf-8", "surrogateescape")
    raise EngineError(f"a message holds a value of an unknown kind (signature {sig})")


def _texts(value: Value) -> list[str]:
    return [str(item) for item in value] if is_list(value) else []


def _reference_id(fields: dict[str, Any]) -> Value:
    if "id" not in fields:
        return None
    return UNKNOWN if fields["id"] in ("", None, UNKNOWN) else fields["id"]


def decode(message: Message) -> PropertyMap:
    """Property values as a provider takes them: what depends on other resources is secret, unknown or plain, and a
    reference is its id.

    Raises:
        EngineError: a malformed special value.
        ValueError: an asset or archive.
    """

    def plain(value: Value) -> Value:
        if isinstance(value, Asset | Archive):
            raise ValueError("assets and archives are no inputs of this provider: give a path")
        if isinstance(value, ResourceReference):
            return value.urn if value.id is None else value.id
        return value

    return map_values(lower_outputs(unmarshal(message)), plain)


def encode(props: Mapping[str, Any]) -> Message:
    """The opposite of :func:`decode`."""
    return _EVERYTHING.struct(dict(props))


class Marshaller:
    """Writes property values as messages for a receiver with given abilities.

    `unknowns`: keep unknown values (else the property is left out); `secrets`: keep the secret marks;
    `resources`: keep resource references (else their id or URN is sent); `outputs`: keep output values;
    `assets`: send assets' contents (else only their hashes).
    """

    __slots__ = ("assets", "outputs", "resources", "secrets", "unknowns")

    def __init__(
        self,
        *,
        unknowns: bool,
        secrets: bool,
        resources: bool,
        outputs: bool = False,
        assets: bool = True,
    ) -> None:
        self.unknowns = unknowns
        self.secrets = secrets
        self.resources = resources
        self.outputs = outputs
        self.assets = assets

    def struct(self, props: PropertyMap) -> Message:
        """A Struct message."""
        message = struct.Struct()
        self._fill(message.fields, props)
        return message

    def value(self, value: Value) -> Message:
        """A Value message."""
        message = struct.Value()
        self._set(message, value)
        return message

    def _fill(self, fields: Any, props: PropertyMap) -> None:
        for key, value in props.items():
            if value is UNKNOWN and not self.unknowns:
                continue
            self._set(fields[key], value)

    def _set(self, target: Any, value: Value) -> None:
        kind: object = type(value)  # pyright: ignore[reportUnknownVariableType]
        if kind is str:
            try:
                target.string_value = value
            except UnicodeEncodeError:
                raw = base64.b64encode(value.encode("utf-8", "surrogateescape")).decode()
                self._fill(target.struct_value.fields, {SIG_KEY: BYTE_STRING_SIG, "value": raw})
        elif kind is bool:
            target.bool_value = value
        elif kind is int or kind is float:
            target.number_value = value
        elif value is None:
            target.null_value = 0
        elif kind is dict:
            target.struct_value.SetInParent()
            self._fill(target.struct_value.fields, value)
        elif kind is list:
            values = target.list_value.values
            target.list_value.SetInParent()
            for item in value:
                if item is not UNKNOWN or self.unknowns:
                    self._set(values.add(), item)
        else:
            self._set_special(target, value)

    def _set_special(self, target: Any, value: Value) -> None:
        if value is UNKNOWN:
            target.string_value = UNKNOWN_STRING
        elif isinstance(value, Secret):
            if self.secrets:
                fields = target.struct_value.fields
                fields[SIG_KEY].string_value = SECRET_SIG
                self._set(fields["value"], value.value)
            else:
                self._set(target, value.value)
        elif isinstance(value, Output):
            self._set_output(target, value)
        elif isinstance(value, ResourceReference):
            self._set_reference(target, value)
        elif isinstance(value, Asset | Archive):
            self._set_asset(target, value)
        else:
            raise TypeError(f"{type(value).__name__} is no property value")

    def _set_output(self, target: Any, value: Output) -> None:
        if not self.outputs:
            inner: Value = value.value if value.known else UNKNOWN
            self._set(target, Secret(inner) if value.secret else inner)
            return
        fields = target.struct_value.fields
        fields[SIG_KEY].string_value = OUTPUT_SIG
        if value.known:
            self._set(fields["value"], value.value)
        if value.secret:
            fields["secret"].bool_value = True
        if value.dependencies:
            self._set(fields["dependencies"], list(value.dependencies))

    def _set_reference(self, target: Any, value: ResourceReference) -> None:
        if not self.resources:
            self._set(target, value.urn if value.id is None else value.id)
            return
        fields = target.struct_value.fields
        fields[SIG_KEY].string_value = RESOURCE_SIG
        fields["urn"].string_value = value.urn
        fields["name"].string_value = urn_name(value.urn)
        fields["type"].string_value = urn_type(value.urn)
        if value.id is not None:
            fields["id"].string_value = "" if value.id is UNKNOWN else str(value.id)
        if value.package_version:
            fields["packageVersion"].string_value = value.package_version

    def _set_asset(self, target: Any, value: Asset | Archive) -> None:
        fields = target.struct_value.fields
        fields[SIG_KEY].string_value = ASSET_SIG if isinstance(value, Asset) else ARCHIVE_SIG
        if value.hash:
            fields["hash"].string_value = value.hash
        if not self.assets:
            return
        if isinstance(value, Asset):
            if value.text is not None:
                fields["text"].string_value = value.text
        elif value.assets is not None:
            self._set(fields["assets"], dict(value.assets))
        if value.path is not None:
            fields["path"].string_value = value.path
        if value.uri is not None:
            fields["uri"].string_value = value.uri


_EVERYTHING = Marshaller(unknowns=True, secrets=True, resources=False)
