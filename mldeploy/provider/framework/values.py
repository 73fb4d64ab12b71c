"""Between Pulumi's wire format (a protobuf Struct with marked secrets and unknowns) and plain values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, cast

from google.protobuf import struct_pb2

# Public constants of Pulumi's protocol (https://www.pulumi.com/docs/iac/packages-and-automation/
# pulumi-packages/, sdk/proto/resource.proto).
_SIGNATURE = "4dabf18193072939515e22adb298388d"
_SECRET = "1b47061264138c4ac30d75fd1eb44270"  # noqa: S105
_OUTPUT = "d0e6a833031e9bbcd3f4e8bde6ca49a4"
_RESOURCE = "5cf8f73096256a8f31e491e813e4eb8e"
_ASSETS = ("c44067f5952c0a294b673a41bacd8c17", "0def7320c3a5731c473e5ecbe6d01bc7")
_UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
_MAX_EXACT = 2**53


class Unknown:
    """A value that is known after the resource it comes from has been created (there is one: UNKNOWN)."""

    def __repr__(self) -> str:
        return "<unknown>"


UNKNOWN: Final = Unknown()


class Secret:
    """A value that must not be shown; it never shows itself."""

    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value = value

    def __repr__(self) -> str:
        return "Secret(…)"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other.value == self.value

    __hash__ = None  # type: ignore[assignment]


def decode(struct: struct_pb2.Struct) -> dict[str, Any]:
    """The Struct's fields as plain values: whole numbers as int, :class:`Secret` and :data:`UNKNOWN` kept."""
    return {key: _decode(value) for key, value in struct.fields.items()}


def encode(values: Mapping[str, Any]) -> struct_pb2.Struct:
    """The opposite of :func:`decode`; None values are kept as null."""
    struct = struct_pb2.Struct()
    for key, value in values.items():
        struct.fields[key].CopyFrom(_encode(value))
    return struct


def _decode(value: struct_pb2.Value) -> Any:
    kind = value.WhichOneof("kind")
    if kind == "struct_value":
        return _decode_struct(value.struct_value)
    if kind == "list_value":
        return [_decode(item) for item in value.list_value.values]
    if kind == "string_value":
        return UNKNOWN if value.string_value == _UNKNOWN else value.string_value
    if kind == "number_value":
        number = value.number_value
        return int(number) if number.is_integer() and abs(number) <= _MAX_EXACT else number
    return value.bool_value if kind == "bool_value" else None


def _decode_struct(struct: struct_pb2.Struct) -> Any:
    if _SIGNATURE not in struct.fields:
        return decode(struct)
    signature = struct.fields[_SIGNATURE].string_value
    if signature == _SECRET:
        return Secret(_decode(struct.fields["value"]))
    if signature == _OUTPUT:
        inner = _decode(struct.fields["value"]) if "value" in struct.fields else UNKNOWN
        return Secret(inner) if struct.fields["secret"].bool_value else inner
    if signature == _RESOURCE:
        return (
            struct.fields["id"].string_value if "id" in struct.fields else struct.fields["urn"].string_value
        )
    if signature in _ASSETS:
        raise ValueError("assets and archives are no inputs of this provider: give a path")
    raise ValueError(f"a value of an unknown kind (signature {signature})")


def _encode(value: Any) -> struct_pb2.Value:
    if isinstance(value, Secret):
        inner = {_SIGNATURE: _SECRET, "value": value.value}
        return struct_pb2.Value(struct_value=encode(inner))
    if isinstance(value, Unknown):
        return struct_pb2.Value(string_value=_UNKNOWN)
    if value is None:
        return struct_pb2.Value(null_value=struct_pb2.NULL_VALUE)
    if isinstance(value, Mapping):
        return struct_pb2.Value(struct_value=encode(cast("Mapping[str, Any]", value)))
    if isinstance(value, list | tuple):
        items = [_encode(item) for item in cast("list[Any]", value)]
        return struct_pb2.Value(list_value=struct_pb2.ListValue(values=items))
    return _encode_scalar(value)


def _encode_scalar(value: Any) -> struct_pb2.Value:
    if isinstance(value, bool):
        return struct_pb2.Value(bool_value=value)
    if isinstance(value, int | float):
        return struct_pb2.Value(number_value=value)
    if isinstance(value, str):
        return struct_pb2.Value(string_value=value)
    raise TypeError(f"a {type(value).__name__} cannot be a property of a resource")


def reveal(value: Any) -> Any:
    """``value`` without its :class:`Secret` wrappers, at every depth."""
    if isinstance(value, Secret):
        return reveal(value.value)
    if isinstance(value, dict):
        return {key: reveal(item) for key, item in cast("dict[str, Any]", value).items()}
    if isinstance(value, list):
        return [reveal(item) for item in cast("list[Any]", value)]
    return value


def has_secret(value: Any) -> bool:
    """Whether a :class:`Secret` is in ``value``, at any depth."""
    return isinstance(value, Secret) or any(has_secret(item) for item in _children(value))


def has_unknown(value: Any) -> bool:
    """Whether :data:`UNKNOWN` is in ``value``, at any depth, also inside a secret."""
    if isinstance(value, Secret):
        return has_unknown(value.value)
    return isinstance(value, Unknown) or any(has_unknown(item) for item in _children(value))


def _children(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return list(cast("dict[str, Any]", value).values())
    return cast("list[Any]", value) if isinstance(value, list) else []


def difference(old: Any, new: Any, path: str = "") -> dict[str, str]:
    """Where two plain values differ: property path (``golden[0].tolerance``) to ``add``, ``delete`` or
    ``update``. An absent key and null are the same."""
    if isinstance(old, dict) and isinstance(new, dict):
        before, after = cast("dict[str, Any]", old), cast("dict[str, Any]", new)
        found: dict[str, str] = {}
        for key in sorted(before.keys() | after.keys()):
            found |= difference(before.get(key), after.get(key), _join(path, key))
        return found
    if isinstance(old, list) and isinstance(new, list):
        first, second = cast("list[Any]", old), cast("list[Any]", new)
        found = {}
        for index in range(max(len(first), len(second))):
            here = first[index] if index < len(first) else None
            there = second[index] if index < len(second) else None
            found |= difference(here, there, f"{path}[{index}]")
        return found
    if old is None and new is None:
        return {}
    if old is None or new is None:
        return {path: "add" if old is None else "delete"}
    same = type(cast("object", old)) is type(cast("object", new)) or (_number(old) and _number(new))
    return {} if same and old == new and not isinstance(new, Unknown) else {path: "update"}


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _join(path: str, key: str) -> str:
    if not key.replace("_", "a").isalnum():
        escaped = key.replace("\\", "\\\\").replace('"', '\\"')
        return f'{path}["{escaped}"]'
    return f"{path}.{key}" if path else key
