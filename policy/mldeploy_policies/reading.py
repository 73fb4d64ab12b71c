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


def given(value: Any, name: str) -> bool:
    """Whether there is a value under a key, known or not."""
    with noting_unknown():
        return key(value, name) is not None


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
    """`aci`, `kubernetes`, `edge`, `batch` or `local`."""

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
EDGE = "mldeploy:edge:EdgeDeployment"
CRON_JOB = "kubernetes:batch/v1:CronJob"
BATCH = "azure-native:machinelearningservices:BatchDeployment"
ENVIRONMENT_VERSION = "azure-native:machinelearningservices:EnvironmentVersion"
PRESENCE = "mldeploy:azure:ImagePresence"
"""What says from which base image and packages an image of the stack is built."""
LOCAL_IMAGE = "mldeploy:image:LocalImage"
SERVICES = (GROUP, DEPLOYMENT, REPLICA, EDGE)
CONTAINERS = (GROUP, DEPLOYMENT, CRON_JOB, EDGE, BATCH, REPLICA)
"""Everything that has containers, or processes in place of them."""
IMAGES = (GROUP, DEPLOYMENT, CRON_JOB, EDGE, ENVIRONMENT_VERSION)
"""Everything that names an image to run."""
BUILT_ON = (PRESENCE, LOCAL_IMAGE)
"""Everything that names the base image of a build."""
_PODS = {DEPLOYMENT: "spec.template.spec", CRON_JOB: "spec.jobTemplate.spec.template.spec"}
_SCORING = "SERVING_SERVICE"


def pod(resource_type: str, props: Any) -> Any:
    """The pod's specification in a workload of Kubernetes."""
    return at(props, _PODS[resource_type], {})


def containers(resource_type: str, props: Any) -> Iterator[Container]:
    """The containers of a resource."""
    if resource_type == REPLICA:
        given = at(props, "environment_variables", {})
        yield Container(str(at(props, "service", "")), _Named(given), props, "local")
    elif resource_type == BATCH:
        given = at(props, "properties.environmentVariables", {})
        yield Container("scoring", _Named(given), props, "batch")
    elif resource_type == EDGE:
        modules = at(props, "modules", {})
        for name in _names(modules):
            one = at(modules, name)
            yield Container(name, _Named(at(one, "env", {})), one, "edge")
    elif resource_type == GROUP:
        for one in items(props, "containers"):
            yield Container(str(at(one, "name", "")), _Listed(one, "environmentVariables"), one, "aci")
    elif resource_type in _PODS:
        for one in items(pod(resource_type, props), "containers"):
            yield Container(str(at(one, "name", "")), _Listed(one, "env"), one, "kubernetes")


def images(resource_type: str, props: Any) -> Iterator[tuple[str, Any]]:
    """The images that a resource runs, with what runs them."""
    if resource_type == ENVIRONMENT_VERSION:
        yield "the batch environment", at(props, "properties.image")
    for one in containers(resource_type, props):
        if one.kind not in ("local", "batch"):
            yield f"container {one.name}", one.image


def scoring(resource_type: str, props: Any) -> Iterator[Container]:
    """The containers that run the scoring server."""
    for one in containers(resource_type, props):
        if one.kind == "local" or _SCORING in one.environment:
            yield one


class _Listed(Mapping[str, Any]):
    """A container's variables, as a list of names and values."""

    def __init__(self, container: Any, key: str) -> None:
        self._variables = {str(at(one, "name", "")): one for one in items(container, key)}

    def __getitem__(self, name: str) -> Any:
        return at(self._variables[name], "value")

    def __iter__(self) -> Iterator[str]:
        return iter(self._variables)

    def __len__(self) -> int:
        return len(self._variables)


class _Named(Mapping[str, Any]):
    """Variables by name."""

    def __init__(self, given: Any) -> None:
        self._given, self._found = given, _names(given)

    def __getitem__(self, name: str) -> Any:
        if name not in self._found:
            raise KeyError(name)
        return key(self._given, name)

    def __iter__(self) -> Iterator[str]:
        return iter(self._found)

    def __len__(self) -> int:
        return len(self._found)


def _names(given: Any) -> list[str]:
    return [str(name) for name in given] if isinstance(given, Mapping) else []
