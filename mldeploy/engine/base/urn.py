"""URNs and provider references: `urn:pulumi:<stack>::<project>::<parent types$type>::<name>`."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

ROOT_STACK_TYPE = "pulumi:pulumi:Stack"
PROVIDER_PREFIX = "pulumi:providers:"
UNKNOWN_ID = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
UNCONFIGURED_ID = "unconfigured"
DENY_DEFAULT_ID = "denydefaultprovider"


@lru_cache(maxsize=65536)
def _split(urn: str) -> tuple[str, str, str, str]:
    prefix, sep, rest = urn.partition("urn:pulumi:")
    parts = rest.split("::", 3)
    if prefix or not sep or len(parts) != 4:
        raise ValueError(f"{urn!r} is no URN (urn:pulumi:<stack>::<project>::<type>::<name>)")
    return parts[0], parts[1], parts[2], parts[3]


def urn_stack(urn: str) -> str:
    """The stack part."""
    return _split(urn)[0]


def urn_project(urn: str) -> str:
    """The project part."""
    return _split(urn)[1]


def urn_qualified_type(urn: str) -> str:
    """The type with its parents' types, `a:b:C$d:e:F`."""
    return _split(urn)[2]


def urn_type(urn: str) -> str:
    """The resource's own type."""
    return _split(urn)[2].rpartition("$")[2]


def urn_name(urn: str) -> str:
    """The logical name."""
    return _split(urn)[3]


def is_urn(text: str) -> bool:
    """Whether the text can be taken apart as a URN."""
    try:
        _split(text)
    except ValueError:
        return False
    return True


def make_urn(stack: str, project: str, parent_type: str, type_: str, name: str) -> str:
    """The URN of a resource whose parent has the qualified type `parent_type` (empty for none)."""
    qualified = f"{parent_type}${type_}" if parent_type else type_
    return f"urn:pulumi:{stack}::{project}::{qualified}::{name}"


def child_urn(stack: str, project: str, parent: str, type_: str, name: str) -> str:
    """The URN of a child of `parent`; the root stack does not appear in its children's types."""
    parent_type = ""
    if parent and urn_qualified_type(parent) != ROOT_STACK_TYPE:
        parent_type = urn_qualified_type(parent)
    return make_urn(stack, project, parent_type, type_, name)


def is_provider_type(type_: str) -> bool:
    """Whether the type is that of a provider resource."""
    return type_.startswith(PROVIDER_PREFIX)


def provider_package(type_: str) -> str:
    """The package a provider type serves, `azure-native` of `pulumi:providers:azure-native`."""
    return type_[len(PROVIDER_PREFIX) :]


def type_package(token: str) -> str:
    """The package of a type or function token, `azure-native` of `azure-native:storage:Blob`."""
    if is_provider_type(token):
        return provider_package(token)
    return token.partition(":")[0]


@dataclass(frozen=True, slots=True)
class ProviderReference:
    """A provider resource's URN and id, as recorded in each resource it manages."""

    urn: str
    id: str

    def __str__(self) -> str:
        return f"{self.urn}::{self.id}"


@lru_cache(maxsize=4096)
def parse_provider_reference(text: str) -> ProviderReference:
    """Take `<urn>::<id>` apart. Raises ValueError on anything else."""
    urn, sep, id_ = text.rpartition("::")
    if not sep or not is_urn(urn) or not is_provider_type(urn_type(urn)):
        raise ValueError(f"{text!r} is no provider reference (<urn of a provider>::<id>)")
    return ProviderReference(urn, id_ or UNKNOWN_ID)
