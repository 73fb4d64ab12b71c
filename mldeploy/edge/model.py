"""What one IoT Edge deployment says, and the JSON that IoT Hub and the IoT Edge runtime take (schema version
1.1).

Sources: "Learn how to deploy modules and establish routes in IoT Edge", "Properties of the IoT Edge agent and
IoT Edge hub module twins", "Azure IoT Edge limits and restrictions" and SchemaStore's deployment schemas.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal, cast

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from mldeploy.edge import twin

MAX_MODULES = 50
"""IoT Hub's limit for one deployment."""
# 1.5 lost support on 2026-11-10; 1.6 is long-term supported to 2028-11-14.
LATEST_RUNTIME = "1.6"
"""The newest long-term-supported IoT Edge runtime; its images have this tag."""
SCHEMA_VERSION = "1.1"
_AGENT, _HUB = "$edgeAgent", "$edgeHub"
_MODULE_NAME = re.compile(r"[A-Za-z0-9_-]{1,128}")
_ENV_NAME = re.compile(r"[^+#$\s.]+")
# The IoT Edge agent's own check takes one colon at most after the last slash: a digest or a tag, never both.
_IMAGE = re.compile(r"([^/\s]+/)*[^/:\s]+(:[^/:\s]+)?")
_ROUTE = re.compile(
    r"\s*(select\s+\*\s+)?from\s+/\S*(\s+where\s+.+?)?\s+into\s+"
    r'(\$upstream|brokeredendpoint\(\s*"/modules/[^/"\s]+/inputs/[^/"\s]+"\s*\))\s*',
    re.IGNORECASE | re.DOTALL,
)
_HUB_OPTIONS: dict[str, Any] = {
    "HostConfig": {
        "PortBindings": {
            "5671/tcp": [{"HostPort": "5671"}],
            "8883/tcp": [{"HostPort": "8883"}],
            "443/tcp": [{"HostPort": "443"}],
        }
    }
}
UInt32 = Annotated[int, Field(ge=0, le=4294967295)]
EnvValue = str | bool | int | float


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class _Container(_Model):
    image: str
    """`registry/repository@sha256:…` or `registry/repository:tag`."""
    create_options: dict[str, Any] = Field(default_factory=dict[str, Any])
    """Docker's create options, as an object."""
    env: dict[str, EnvValue] = Field(default_factory=dict[str, EnvValue])
    """Environment variables."""
    image_pull_policy: Literal["on-create", "never"] | None = None
    """Default of the runtime: `on-create`."""

    @field_validator("image")
    @classmethod
    def _image_reference(cls, value: str) -> str:
        if not _IMAGE.fullmatch(value):
            raise ValueError(
                f"{value!r} is no image that the IoT Edge agent takes; allowed: registry/repository:tag or "
                "registry/repository@sha256:…, not both"
            )
        return value

    @field_validator("env")
    @classmethod
    def _env_names(cls, value: dict[str, EnvValue]) -> dict[str, EnvValue]:
        for name in value:
            if not _ENV_NAME.fullmatch(name):
                raise ValueError(
                    f"environment variable {name!r}: names have no '.', '$', '#', '+' and no white space"
                )
        return value

    @field_validator("create_options")
    @classmethod
    def _fits(cls, value: dict[str, Any]) -> dict[str, Any]:
        twin.split(twin.compact(value))
        return value

    def settings(self) -> dict[str, str]:
        """The `settings` of the manifest: the image, and the create options in as many pieces as needed."""
        return {"image": self.image, **twin.split(twin.compact(self.create_options))}

    def common(self) -> dict[str, Any]:
        """What modules and system modules have in common."""
        made: dict[str, Any] = {"type": "docker", "settings": self.settings()}
        if self.env:
            made["env"] = {name: {"value": value} for name, value in sorted(self.env.items())}
        if self.image_pull_policy is not None:
            made["imagePullPolicy"] = self.image_pull_policy
        return made


class SystemModule(_Container):
    """`edgeAgent` or `edgeHub`."""

    startup_order: UInt32 | None = None
    """Of `edgeHub` only: smaller starts earlier; modules without one start last."""


class Module(_Container):
    """One module of the deployment."""

    version: str | None = None
    """For people; the runtime ignores it."""
    status: Literal["running", "stopped"] = "running"
    restart_policy: Literal["always", "never", "on-failure", "on-unhealthy"] = "always"
    """`on-failure` and `on-unhealthy` are valid, but the IoT Edge runtime does not implement them."""
    startup_order: UInt32 | None = None
    """Smaller starts earlier; modules without one start last."""
    desired: dict[str, Any] | None = None
    """Desired properties of the module's twin."""

    @field_validator("desired")
    @classmethod
    def _twin(cls, value: dict[str, Any] | None) -> dict[str, Any] | None:
        for path, reason in twin.faults(value or {}):
            raise ValueError(f"{path} {reason}".strip())
        return value

    def to_json(self) -> dict[str, Any]:
        """The module in the manifest of the IoT Edge agent."""
        made = self.common() | {"status": self.status, "restartPolicy": self.restart_policy}
        if self.version is not None:
            made["version"] = self.version
        if self.startup_order is not None:
            made["startupOrder"] = self.startup_order
        return made


class Route(_Model):
    """Where the IoT Edge hub sends messages."""

    route: str
    """`FROM /messages/modules/x/outputs/* INTO $upstream`."""
    priority: Annotated[int, Field(ge=0, le=9)] | None = None
    """0 is the highest, 9 the lowest."""
    time_to_live_secs: UInt32 | None = None
    """How long messages wait for their receiver, in seconds; default: the store-and-forward setting."""

    @field_validator("route")
    @classmethod
    def _grammar(cls, value: str) -> str:
        if not _ROUTE.fullmatch(value):
            raise ValueError(
                f"{value!r} is no route; allowed: FROM /messages/… [WHERE …] INTO $upstream or INTO "
                'BrokeredEndpoint("/modules/<module>/inputs/<input>")'
            )
        return value

    def to_json(self) -> str | dict[str, Any]:
        """The short form, or the object when it says more."""
        if self.priority is None and self.time_to_live_secs is None:
            return self.route
        made: dict[str, Any] = {"route": self.route}
        if self.priority is not None:
            made["priority"] = self.priority
        if self.time_to_live_secs is not None:
            made["timeToLiveSecs"] = self.time_to_live_secs
        return made


class Credential(_Model):
    """How devices log in to one container registry."""

    address: str = Field(pattern=r"^[^\s]+$")
    """`myregistry.azurecr.io`."""
    username: str = Field(min_length=1)
    password: str = Field(min_length=1, repr=False)


class Deployment(_Model):
    """One deployment: complete, or a layer over another one."""

    modules: dict[str, Module]
    routes: dict[str, Route] = Field(default_factory=dict[str, Route])
    layered: bool = False
    """A layer adds modules and routes to the complete deployment that a device has; its runtime settings
    stay."""
    edge_agent: SystemModule | None = None
    """Default: Microsoft's image of :data:`LATEST_RUNTIME`."""
    edge_hub: SystemModule | None = None
    """Default: Microsoft's image of :data:`LATEST_RUNTIME`, reachable from other devices."""
    registry_credentials: dict[str, Credential] = Field(default_factory=dict[str, Credential])
    store_and_forward_secs: int | None = Field(default=None, ge=-1, le=2147483647)
    """How long messages wait for a connection, in seconds; -1: for ever. Default: 7200."""

    @model_validator(mode="after")
    def _consistent(self) -> Deployment:
        for path, reason in self._faults():
            raise ValueError(f"{path}: {reason}")
        return self

    def _faults(self) -> Iterator[tuple[str, str]]:
        for name in self.modules:
            if name in ("edgeAgent", "edgeHub"):
                yield f"modules.{name}", "is a system module; set edge_agent or edge_hub"
            elif not _MODULE_NAME.fullmatch(name):
                yield f"modules.{name}", "a module's name has 1 to 128 letters, digits, '-' and '_'"
        if not 1 <= len(self.modules) <= MAX_MODULES:
            yield "modules", f"are {len(self.modules)}; a deployment has 1 to {MAX_MODULES}"
        for what, names in (("routes", self.routes), ("registry_credentials", self.registry_credentials)):
            for name in names:
                if "#" in name or list(twin.key_faults(name)):
                    yield f"{what}.{name}", "a name has no '.', '$', '#' and no space"
        if self.layered:
            runtime = ("edge_agent", "edge_hub", "registry_credentials", "store_and_forward_secs")
            for key in runtime:
                if getattr(self, key):
                    yield key, "belongs to the complete deployment, not to a layer"
        elif self.edge_agent is not None and self.edge_agent.startup_order is not None:
            yield "edge_agent.startup_order", "the agent always starts first"
        for name, desired in self._twins().items():
            yield from twin.faults(desired, name)

    def _twins(self) -> dict[str, Any]:
        return {_AGENT: self._agent(), _HUB: self._hub()}

    def _agent(self) -> dict[str, Any]:
        modules = {name: module.to_json() for name, module in sorted(self.modules.items())}
        if self.layered:
            return {"modules": modules}
        agent = self.edge_agent or _runtime("agent")
        hub = self.edge_hub or _runtime("hub")
        hub_json = hub.common() | {"status": "running", "restartPolicy": "always"}
        if hub.startup_order is not None:
            hub_json["startupOrder"] = hub.startup_order
        credentials = {name: c.model_dump() for name, c in sorted(self.registry_credentials.items())}
        return {
            "schemaVersion": SCHEMA_VERSION,
            "runtime": {
                "type": "docker",
                "settings": {"registryCredentials": credentials} if credentials else {},
            },
            "systemModules": {"edgeAgent": agent.common(), "edgeHub": hub_json},
            "modules": modules,
        }

    def _hub(self) -> dict[str, Any]:
        routes = {name: route.to_json() for name, route in sorted(self.routes.items())}
        if self.layered:
            return {"routes": routes}
        seconds = 7200 if self.store_and_forward_secs is None else self.store_and_forward_secs
        return {
            "schemaVersion": SCHEMA_VERSION,
            "routes": routes,
            "storeAndForwardConfiguration": {"timeToLiveSecs": seconds},
        }

    def content(self) -> dict[str, Any]:
        """The hub's `content`: `{"modulesContent": {…}}`. It holds the registry passwords."""
        if self.layered:
            found: dict[str, Any] = {
                twin_name: {
                    f"properties.desired.{kind}.{name}": value for name, value in twin_value[kind].items()
                }
                for twin_name, kind, twin_value in (
                    (_AGENT, "modules", self._agent()),
                    (_HUB, "routes", self._hub()),
                )
                if twin_value[kind]
            }
        else:
            found = {name: {"properties.desired": value} for name, value in self._twins().items()}
        for name, module in sorted(self.modules.items()):
            if module.desired is not None:
                found[name] = {"properties.desired": module.desired}
        return {"modulesContent": found}


def _runtime(part: Literal["agent", "hub"], version: str = LATEST_RUNTIME) -> SystemModule:
    image = f"mcr.microsoft.com/azureiotedge-{part}:{version}"
    return SystemModule(image=image, create_options=_HUB_OPTIONS if part == "hub" else {})


def runtime_modules(version: str) -> tuple[SystemModule, SystemModule]:
    """The agent and the hub of one version of the IoT Edge runtime, as Microsoft publishes them: `1.5`,
    `1.5.35`, `1.6`."""
    return _runtime("agent", version), _runtime("hub", version)


def content_digest(content: Mapping[str, Any]) -> str:
    """SHA-256 (hexadecimal) over the content, canonical.

    Registry passwords count, but only through scrypt: a digest is shown, and must not help anybody to guess
    one.
    """
    return hashlib.sha256(twin.compact(_veiled(content)).encode()).hexdigest()


def _veiled(value: Any) -> Any:
    if isinstance(value, list):
        return [_veiled(item) for item in cast("list[Any]", value)]
    if not isinstance(value, Mapping):
        return value
    items = cast("Mapping[str, Any]", value)
    if {"address", "username", "password"} <= items.keys():
        salt = f"{items['address']}\0{items['username']}".encode()
        veiled = hashlib.scrypt(str(items["password"]).encode(), salt=salt, n=2**14, r=8, p=1, dklen=16)
        return dict(items) | {"password": veiled.hex()}
    return {key: _veiled(item) for key, item in items.items()}


def parse_content(content: Mapping[str, Any]) -> Deployment:
    """The opposite of :meth:`Deployment.content`, also for manifests that others wrote.

    Raises:
        ValueError: it has something that a :class:`Deployment` cannot say.
    """
    modules_content = dict(cast("Mapping[str, Any]", content.get("modulesContent") or {}))
    agent, hub = (_desired(modules_content.pop(name, {})) for name in (_AGENT, _HUB))
    layered = "schemaVersion" not in agent
    modules = {str(name): _parse_module(value) for name, value in agent.get("modules", {}).items()}
    for name, value in modules_content.items():
        if name not in modules:
            raise ValueError(f"module {name!r} has desired properties, but is no module of the deployment")
        modules[name]["desired"] = _desired(value)
    found: dict[str, Any] = {
        "layered": layered,
        "modules": modules,
        "routes": {str(name): _parse_route(value) for name, value in hub.get("routes", {}).items()},
    }
    if not layered:
        system = agent.get("systemModules", {})
        found["edge_agent"] = _parse_module(system["edgeAgent"], system=True)
        found["edge_hub"] = _parse_module(system["edgeHub"], system=True)
        found["registry_credentials"] = (
            agent.get("runtime", {}).get("settings", {}).get("registryCredentials", {})
        )
        found["store_and_forward_secs"] = hub.get("storeAndForwardConfiguration", {}).get("timeToLiveSecs")
    return Deployment.model_validate(found)


def _desired(value: Mapping[str, Any]) -> dict[str, Any]:
    """Desired properties, from the whole form or from paths such as `properties.desired.modules.x`."""
    found: dict[str, Any] = {}
    for path, item in value.items():
        parts = path.split(".")
        if parts[:2] != ["properties", "desired"]:
            raise ValueError(f"{path!r} is no path of desired properties")
        if len(parts) == 2:
            found |= cast("dict[str, Any]", item)
            continue
        here = found
        for part in parts[2:-1]:
            here = here.setdefault(part, {})
        here[parts[-1]] = item
    return found


def _parse_module(value: Mapping[str, Any], *, system: bool = False) -> dict[str, Any]:
    settings = cast("Mapping[str, Any]", value.get("settings", {}))
    made: dict[str, Any] = {
        "image": settings.get("image", ""),
        "create_options": json.loads(twin.join(settings) or "{}"),
        "env": {name: item["value"] for name, item in value.get("env", {}).items()},
        "image_pull_policy": value.get("imagePullPolicy"),
        "startup_order": value.get("startupOrder"),
    }
    if not system:
        made |= {
            "version": value.get("version"),
            "status": value["status"],
            "restart_policy": value["restartPolicy"],
        }
    return made


def _parse_route(value: str | Mapping[str, Any]) -> dict[str, Any]:
    if isinstance(value, str):
        return {"route": value}
    names = {"route": "route", "priority": "priority", "timeToLiveSecs": "time_to_live_secs"}
    return {names[key]: item for key, item in value.items()}
