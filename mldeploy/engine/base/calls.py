"""What providers are asked: one object for each call of `pulumirpc.ResourceProvider` about a resource."""

from __future__ import annotations

from dataclasses import dataclass, field

from mldeploy.values.property_value import PropertyMap

Failure = tuple[str, str]
Checked = tuple[PropertyMap, list[Failure]]


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckCall:
    """Are these inputs (`news`) valid? `seed` is for names that the provider makes up."""

    urn: str
    olds: PropertyMap
    news: PropertyMap
    preview: bool
    seed: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeCall:
    """From what is recorded to `news`: what would it mean (diff), or do it (update, within `timeout` seconds)."""

    urn: str
    id: str
    old_inputs: PropertyMap
    old_outputs: PropertyMap
    news: PropertyMap
    preview: bool
    ignore: list[str] = field(default_factory=list[str])
    timeout: float = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateCall:
    """Make an object, within `timeout` seconds (0: the provider's default)."""

    urn: str
    inputs: PropertyMap
    preview: bool
    timeout: float = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadCall:
    """What is there? `inputs` is None for an object that is to be imported."""

    urn: str
    id: str
    inputs: PropertyMap | None
    state: PropertyMap
    timeout: float = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class DeleteCall:
    """Remove an object."""

    urn: str
    id: str
    inputs: PropertyMap
    outputs: PropertyMap
    timeout: float = 0
