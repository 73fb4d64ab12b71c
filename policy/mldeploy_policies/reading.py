"""Reading resources' properties: nested values, unknown ones in a preview, containers of every target."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from pulumi_policy.proxy import UnknownValueError


class _Unknown:
    """Stands for a value that only the update will know. Rules say nothing about it."""

    def __bool__(self) -> bool:
        return True


UNKNOWN = _Unknown()
_unknown: ContextVar[set[str] | None] = ContextVar("unknown", default=None)


@contextmanager
def noting_unknown() -> Iterator[set[str]]:
    """The names of the values that were asked for and are not known yet, while the block runs."""
    found: set[str] = set()
    before = _unknown.set(found)
    try:
        yield found
    finally:
        _unknown.reset(before)


def key(value: Any, name: str) -> Any:
    """The value under one key or index, taken as it is; None when absent, UNKNOWN when not known yet."""
    try:
        if isinstance(value, Mapping):
            return value[name] if name in value else None  # noqa: SIM401 - the proxy of pulumi_policy has no get
        if isinstance(value, Sequence) and not isinstance(value, str) and name.isdigit():
            return value[int(name)] if int(name) < len(value) else None
    except UnknownValueError:
        found = _unknown.get()
        if found is not None:
            found.add(name)
        return UNKNOWN
    return None


def at(value: Any, path: str, default: Any = None) -> Any:
    """The value at a dotted path, `properties.tags`; ``default`` when absent, UNKNOWN when not known yet."""
    for part in path.split("."):
        if value is UNKNOWN or value is None:
            break
        value = key(value, part)
    return default if value is None else value


def items(value: Any, path: str) -> list[Any]:
    """The elements of the list at a path that are known."""
    found = at(value, path, [])
    if found is UNKNOWN or isinstance(found, str | Mapping) or not isinstance(found, Sequence):
        return []
    known = (at(found, str(index)) for index in range(len(found)))
    return [one for one in known if one is not None and one is not UNKNOWN]


def text(value: Any) -> str | None:
    """A known text, else None."""
    return value if isinstance(value, str) else None


@dataclass(frozen=True)
class Container:
    """A container of a container group or a Deployment, or the processes of a local replica.

    Values are read when they are asked for: one that is not known yet concerns only the rules that look at it.
    """

    name: str
    environment: Mapping[str, Any]
    """Plain variables by name; those that are secret or references map to None."""
    raw: Any
    kind: str
    """`aci`, `kubernetes` or `local`."""

    @property
    def image(self) -> Any:
        """The image's name; None for processes."""
        return None if self.kind == "local" else at(self.raw, "image")

    def setting(self, name: str) -> Any:
        """A setting of the scoring server: `auth_enabled`."""
        if self.kind == "local":
            return at(self.raw, name)
        return self.environment.get(f"SERVING_{name.upper()}")

    def on(self, name: str) -> bool:
        """Whether a setting is on (or not known yet)."""
        value = self.setting(name)
        return value is UNKNOWN or value is True or str(value).lower() == "true"


GROUP = "azure-native:containerinstance:ContainerGroup"
DEPLOYMENT = "kubernetes:apps/v1:Deployment"
REPLICA = "mldeploy:service:Replica"
ROLLOUT = "mldeploy:kubernetes:Rollout"
"""A service on Kubernetes. In the preview of its first version nothing of its Deployment is known, but this is."""
SERVICES = (GROUP, DEPLOYMENT, REPLICA)
_SCORING = "SERVING_SERVICE"


def containers(resource_type: str, props: Any) -> Iterator[Container]:
    """The containers of a resource."""
    if resource_type == REPLICA:
        yield Container(str(at(props, "service", "")), {}, props, "local")
        return
    if resource_type == GROUP:
        path, kind = "containers", "aci"
    elif resource_type == DEPLOYMENT:
        path, kind = "spec.template.spec.containers", "kubernetes"
    else:
        return
    variables = "environmentVariables" if kind == "aci" else "env"
    for one in items(props, path):
        yield Container(str(at(one, "name", "")), _Environment(one, variables), one, kind)


def scoring(resource_type: str, props: Any) -> Iterator[Container]:
    """The containers that run the scoring server."""
    for one in containers(resource_type, props):
        if one.kind == "local" or _SCORING in one.environment:
            yield one


class _Environment(Mapping[str, Any]):
    """A container's variables."""

    def __init__(self, container: Any, key: str) -> None:
        self._variables = {str(at(one, "name", "")): one for one in items(container, key)}

    def __getitem__(self, name: str) -> Any:
        return at(self._variables[name], "value")

    def __iter__(self) -> Iterator[str]:
        return iter(self._variables)

    def __len__(self) -> int:
        return len(self._variables)
