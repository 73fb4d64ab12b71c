"""Property values as the engine holds them.

Plain JSON values are plain Python values. What JSON has no word for are the small classes here: unknown
(computed) values, secrets, assets, archives and resource references. They are never changed in place.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Final, TypeGuard

Value = Any
PropertyMap = dict[str, Any]

SIG_KEY: Final = "4dabf18193072939515e22adb298388d"
SECRET_SIG: Final = "1b47061264138c4ac30d75fd1eb44270"  # noqa: S105 - a signature of the protocol
ASSET_SIG: Final = "c44067f5952c0a294b673a41bacd8c17"
ARCHIVE_SIG: Final = "0def7320c3a5731c473e5ecbe6d01bc7"
RESOURCE_SIG: Final = "5cf8f73096256a8f31e491e813e4eb8e"
OUTPUT_SIG: Final = "d0e6a833031e9bbcd3f4e8bde6ca49a4"
FLOAT_SIG: Final = "8ad145fe-0d11-4827-bfd7-1abcbf086f5c"
BYTE_STRING_SIG: Final = "803fd3297a5875dc03ca845dda5d2a98"
UNKNOWN_STRING: Final = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
UNKNOWN_TEXTS: Final = frozenset(
    {
        UNKNOWN_STRING,
        "1c4a061d-8072-4f0a-a4cb-0ff528b18fe7",  # boolean
        "3eeb2bf0-c639-47a8-9e75-3b44932eb421",  # number
        "6a19a0b0-7e62-4c92-b797-7f8e31da9cc2",  # array
        "030794c1-ac77-496b-92df-f27374a8bd58",  # asset
        "e48ece36-62e2-4504-bad9-02848725956a",  # archive
        "dd056dcd-154b-4c76-9bd3-c8f88648b5ff",  # object
    }
)


def is_map(value: Value) -> TypeGuard[dict[str, Any]]:
    """Whether the value is an object."""
    return isinstance(value, dict)


def is_list(value: Value) -> TypeGuard[list[Any]]:
    """Whether the value is an array."""
    return isinstance(value, list)


_PLAIN: Final = frozenset({str, int, bool, float, type(None)})


def is_plain(value: Value) -> bool:
    """Whether there is nothing inside the value to look at; most values are like that."""
    return type(value) in _PLAIN


class Unknown:
    """A value that is not known before the update runs."""

    _only: Unknown | None = None

    def __new__(cls) -> Unknown:
        if cls._only is None:
            cls._only = super().__new__(cls)
        return cls._only

    def __repr__(self) -> str:
        return "<unknown>"


UNKNOWN: Final = Unknown()


@dataclass(slots=True)
class Secret:
    """A value that is encrypted at rest and masked in every output.

    `ciphertext` keeps what was read from the state, so that an unchanged secret is not encrypted anew.
    """

    value: Value
    ciphertext: str | None = field(default=None, compare=False)

    def __repr__(self) -> str:
        return "[secret]"


class SealedSecret(Secret):
    """A secret of a state that is decrypted when somebody looks: most commands look at none, and it takes long."""

    __slots__ = ("_open",)

    def __init__(self, ciphertext: str, open_: Callable[[], Value]) -> None:
        self._open = open_
        self.ciphertext = ciphertext

    @property
    def value(self) -> Value:  # pyright: ignore[reportIncompatibleVariableOverride]
        """The plain value. Raises what decrypting raises: a wrong passphrase."""
        return self._open()


@dataclass(slots=True, eq=False)
class Asset:
    """A file's content: `text`, a `path` or a `uri`; `hash` is the SHA-256 of the content."""

    hash: str = ""
    text: str | None = None
    path: str | None = None
    uri: str | None = None


@dataclass(slots=True, eq=False)
class Archive:
    """A collection of files: a map of assets, a `path` or a `uri`."""

    hash: str = ""
    assets: dict[str, Asset | Archive] | None = None
    path: str | None = None
    uri: str | None = None


@dataclass(slots=True, eq=False)
class ResourceReference:
    """A resource as a value. `id` is None for components, UNKNOWN before it was created."""

    urn: str
    id: Value = None
    package_version: str = ""


@dataclass(slots=True, eq=False)
class Output:
    """An output value on its way through transforms; lowered to UNKNOWN or Secret everywhere else."""

    value: Value = None
    known: bool = True
    secret: bool = False
    dependencies: list[str] = field(default_factory=list[str])


def _children(value: Value) -> Iterable[Value]:
    if is_map(value):
        return value.values()
    if is_list(value):
        return value
    if isinstance(value, Secret | Output):
        return (value.value,)
    if isinstance(value, Archive) and value.assets:
        return value.assets.values()
    return ()


def any_value(value: Value, test: Callable[[Value], bool]) -> bool:
    """Whether the test holds for the value or for anything inside it."""
    if test(value):
        return True
    return not is_plain(value) and any(any_value(child, test) for child in _children(value))


def contains_unknowns(value: Value) -> bool:
    """Whether any part is not known yet."""
    if is_plain(value):
        return False
    return any_value(
        value,
        lambda v: (
            v is UNKNOWN
            or (isinstance(v, Output) and not v.known)
            or (isinstance(v, ResourceReference) and v.id is UNKNOWN)
        ),
    )


def contains_secrets(value: Value) -> bool:
    """Whether any part is secret."""
    if is_plain(value):
        return False
    return any_value(value, lambda v: isinstance(v, Secret) or (isinstance(v, Output) and v.secret))


def map_values(value: Value, change: Callable[[Value], Value]) -> Value:
    """A copy with `change` applied bottom-up to every part."""
    if is_map(value):
        items: dict[str, Any] = value
        return change({k: map_values(v, change) for k, v in items.items()})
    if is_list(value):
        elements: list[Any] = value
        return change([map_values(v, change) for v in elements])
    if isinstance(value, Secret):
        return change(Secret(map_values(value.value, change)))
    if isinstance(value, Output):
        return change(
            Output(map_values(value.value, change), value.known, value.secret, list(value.dependencies))
        )
    return change(value)


def reveal(value: Value) -> Value:
    """A copy with the secret marks taken off. For use right before a value leaves for a plugin."""
    return map_values(value, lambda v: v.value if isinstance(v, Secret) else v)


def mask_secrets(value: Value) -> Value:
    """A copy in which each secret reads `[secret]`."""
    if isinstance(value, Secret):
        return "[secret]"
    if is_map(value):
        items: dict[str, Any] = value
        return {k: mask_secrets(v) for k, v in items.items()}
    if is_list(value):
        elements: list[Any] = value
        return [mask_secrets(v) for v in elements]
    return value


def lower_outputs(value: Value) -> Value:
    """Replace output values by what they hold: unknown, secret or plain."""
    if is_plain(value) or not any_value(value, lambda v: isinstance(v, Output)):
        return value

    def lower(v: Value) -> Value:
        if not isinstance(v, Output):
            return v
        inner = v.value if v.known else UNKNOWN
        return Secret(inner) if v.secret and not isinstance(inner, Secret) else inner

    return map_values(value, lower)


def output_dependencies(value: Value, into: set[str]) -> None:
    """Add the URNs that a value depends on, as its output values name them."""
    if is_plain(value):
        return
    if isinstance(value, Output):
        into.update(value.dependencies)
    for child in _children(value):
        output_dependencies(child, into)


def deep_equals(a: Value, b: Value) -> bool:
    """Equality as Pulumi means it: `1` is not `true`, unknowns equal unknowns, assets equal by hash."""
    if a is b:
        return True
    kind: object = type(a)  # pyright: ignore[reportUnknownVariableType]
    if kind is dict:
        if type(b) is not dict:
            return False
        left: dict[str, Any] = a
        right: dict[str, Any] = b if is_map(b) else {}
        return len(left) == len(right) and all(
            k in right and deep_equals(v, right[k]) for k, v in left.items()
        )
    if kind is list:
        return is_list(b) and len(a) == len(b) and all(map(deep_equals, a, b))
    if kind is bool or type(b) is bool:
        return kind is type(b) and a == b
    if isinstance(a, Secret):
        return isinstance(b, Secret) and deep_equals(a.value, b.value)
    if isinstance(a, Asset):
        return isinstance(b, Asset) and a.hash == b.hash
    if isinstance(a, Archive):
        return isinstance(b, Archive) and a.hash == b.hash
    if isinstance(a, ResourceReference):
        return isinstance(b, ResourceReference) and a.urn == b.urn and deep_equals(a.id, b.id)
    return bool(a == b)


def annotate_secrets(outs: PropertyMap | None, ins: PropertyMap | None) -> None:
    """Mark in `outs` what is secret in `ins`, for providers that hand secrets back as plain values."""
    if not outs or not ins:
        return
    for key, given in ins.items():
        if key not in outs:
            continue
        out = outs[key]
        if is_map(out) and is_map(given):
            annotate_secrets(out, given)
        elif not isinstance(out, Secret) and contains_secrets(given):
            outs[key] = Secret(out)
