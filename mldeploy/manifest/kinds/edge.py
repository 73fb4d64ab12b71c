"""`type: edge`: IoT Edge devices, through an automatic deployment of an IoT hub."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Annotated, Final, Literal

from pydantic import Field, ValidationError

from mldeploy.edge import twin
from mldeploy.edge.condition import ConditionError, check_condition
from mldeploy.edge.model import Route
from mldeploy.manifest.base import Count, Labels, Location, Pattern, Percent, Seconds, Section, Text
from mldeploy.manifest.draft import Draft
from mldeploy.manifest.errors import shown
from mldeploy.manifest.image import Registry
from mldeploy.manifest.kinds.kind import Kind
from mldeploy.manifest.kinds.on_azure import LOGIN, located
from mldeploy.manifest.markers import CONTAINER, ONLINE
from mldeploy.manifest.nodes import Path as NodePath
from mldeploy.manifest.rules.images import login, no_secret_variables
from mldeploy.manifest.secret_refs import Secret
from mldeploy.manifest.service import Service
from mldeploy.manifest.target import Target
from mldeploy.manifest.validation import Fault

_COMPLETE_ONLY = ("runtime_version", "registry", "store_and_forward_secs")
_MOST_MODULES = 50


class HubCreate(Section):
    """An IoT hub of the stack's own."""

    sku: Literal["F1", "S1", "S2", "S3"] = "S1"
    """The tier; `B1` to `B3` have no IoT Edge."""
    units: Annotated[int, Field(ge=1, le=200)] = 1
    """How many units."""
    location: Location | None = None
    """The Azure region. Default: `azure.location`."""


class EdgeWait(Section):
    """How long `up` waits for devices."""

    reported: Percent = 100.0
    """The share of the targeted devices that must report success, `90%`."""
    timeout: Seconds = 600
    """How long at most, in seconds or as `10m`."""
    rollback: bool = False
    """Whether the previous deployment is put back when the time is over."""


class EdgeRoute(Section):
    """Where the IoT Edge hub sends messages."""

    route: Text
    """`FROM /messages/modules/x/outputs/* INTO $upstream`."""
    priority: Annotated[int, Field(ge=0, le=9)] | None = None
    """0 is the highest, 9 the lowest."""
    time_to_live_secs: Count | None = None
    """How long messages wait for their receiver, in seconds."""


class EdgeTarget(Target):
    """IoT Edge devices, through an automatic deployment of an IoT hub: its modules are the services."""

    hub: Annotated[
        Text, Pattern(r"[A-Za-z0-9][A-Za-z0-9-]{1,48}[A-Za-z0-9]", "3-50 letters, digits and inner hyphens")
    ]
    """The hub's name."""
    create: HubCreate | None = None
    """Creates the hub. Default: it exists."""
    connection_string: Secret | None = None
    """A shared access policy's connection string, by reference. Default: log in with Entra."""
    target_condition: Text = Field(examples=["tags.site='plant-7'"])
    """Which devices: `*`, or conditions on device tags, reported properties and ids."""
    priority: Annotated[int, Field(ge=0, le=2147483647)] = 0
    """The deployment with the highest priority wins on a device that several target."""
    labels: Labels = Field(default_factory=dict)
    """Labels of the deployment."""
    metrics: dict[str, Text] = Field(default_factory=dict)
    """The hub's own metrics for the deployment: queries by name."""
    layered: bool = False
    """Whether it only adds modules to the complete deployment that devices have."""
    runtime_version: (
        Annotated[Text, Pattern(r"1\.[0-9]+(\.[0-9]+)?", 'a version such as "1.5", in quotes')] | None
    ) = None
    """The version of edgeAgent and edgeHub, `"1.5"`. Default: the newest long-term-supported one."""
    routes: dict[str, EdgeRoute] = Field(default_factory=dict)
    """Routes of the IoT Edge hub by name."""
    store_and_forward_secs: Annotated[int, Field(ge=-1, le=2147483647)] | None = None
    """How long messages wait for a connection; -1: for ever. Default: 7200."""
    registry: Registry | None = None
    """The registry that images are pushed to and devices pull from. Default: that of `azure:`."""
    wait: EdgeWait | None = None
    """Waits until devices have reported success. Default: no waiting."""


def _target(draft: Draft, name: str, target: EdgeTarget) -> Iterator[Fault]:
    path: NodePath = ("targets", name)
    if target.create is not None:
        yield from located(draft, name, target.create.location, ("create",))
    try:
        check_condition(target.target_condition)
    except ConditionError as error:
        yield Fault((*path, "target_condition"), str(error))
    for key, route in target.routes.items():
        try:
            Route(route=route.route)
        except ValidationError as error:
            yield Fault(
                (*path, "routes", key, "route"), error.errors()[0]["msg"].removeprefix("Value error, ")
            )
    if target.layered:
        for key in _COMPLETE_ONLY:
            if key in target.model_fields_set:
                yield Fault((*path, key), "belongs to the complete deployment, not to a layer")
    if target.registry is not None:
        yield from login((*path, "registry"), target.registry)
    twin_of = _twin_of(draft, name, target)
    if twin_of is not None:
        yield Fault(
            (*path, "priority"),
            f"{target.priority} is that of target {shown(twin_of)} for the same devices of the same hub, which "
            "would run either deployment: give one of them a higher priority",
        )
    count = len(draft.services_on(name))
    if count > _MOST_MODULES:
        yield Fault(path, f"has {count} services; a deployment has at most {_MOST_MODULES} modules")


def _twin_of(draft: Draft, name: str, target: EdgeTarget) -> str | None:
    """An earlier target whose complete deployment competes with this one's."""
    if target.layered:
        return None

    def same(other: Target) -> bool:
        return (
            isinstance(other, EdgeTarget)
            and not other.layered
            and (other.hub.lower(), other.priority) == (target.hub.lower(), target.priority)
            and "".join(other.target_condition.split()) == "".join(target.target_condition.split())
        )

    for earlier, other in draft.targets.items():
        if earlier == name:
            return None
        if same(other) and draft.services_on(earlier):
            return earlier
    return None


def _service(draft: Draft, name: str, service: Service) -> Iterator[Fault]:
    yield from _module(("services", name, "edge"), service)
    yield from _collection(("services", name), service)
    yield from _auth(draft, name, service)
    if not draft.lacks("services", name, "ssl") and not draft.lacks("services", name, "edge"):
        yield from _tls(("services", name), service)
    yield from no_secret_variables(
        draft,
        service,
        "everybody who can read the hub's twins could read it: put it into a file of the device (edge.mounts)",
    )


def _module(path: NodePath, service: Service) -> Iterator[Fault]:
    if service.edge is None:
        return
    for where, reason in twin.faults(service.edge.desired):
        yield Fault((*path, "desired"), f"{where} {reason}".strip())
    try:
        twin.split(twin.compact(service.edge.create_options))
    except ValueError as error:
        yield Fault((*path, "create_options"), str(error))
    if service.edge.bind_address is not None and service.port is None:
        yield Fault((*path, "bind_address"), "has no effect without port")


def _collection(path: NodePath, service: Service) -> Iterator[Fault]:
    """A module can write to its mounts only."""
    collect = service.collect_model_data
    if collect is None or not collect.enabled:
        return
    folders = [mount.target for mount in service.edge.mounts if mount.writable] if service.edge else []
    if not any(PurePosixPath(collect.destination or ".").is_relative_to(folder) for folder in folders):
        yield Fault(
            (*path, "collect_model_data"),
            "needs a destination in a writable mount of edge.mounts "
            f"(there are: {', '.join(folders) or 'none'})",
        )


def _auth(draft: Draft, name: str, service: Service) -> Iterator[Fault]:
    if draft.lacks("services", name, "auth_enabled"):
        return
    file, on = service.edge.keys_file if service.edge else None, service.auth_enabled
    if on and file is None and not draft.lacks("services", name, "edge"):
        yield Fault(
            ("services", name, "auth_enabled"),
            "needs edge: {keys_file: <path on the device>}; keys in a deployment could be read by "
            "everybody who can read the hub's twins",
        )
    elif not on and file is not None:
        yield Fault(("services", name, "edge", "keys_file"), "has no effect without auth_enabled: true")


def _tls(path: NodePath, service: Service) -> Iterator[Fault]:
    ssl, edge = service.ssl, service.edge
    files = {key: getattr(edge, key) if edge else None for key in ("cert_file", "key_file")}
    on = ssl is not None and ssl.enabled
    missing = [f"{key}: <path on the device>" for key, value in files.items() if value is None]
    if on and missing:
        yield Fault((*path, "ssl"), f"needs edge: {{{', '.join(missing)}}}")
    for key, value in files.items():
        if not on and value is not None:
            yield Fault((*path, "edge", key), "has no effect without ssl: {enabled: true}")


KIND: Final = Kind(
    model=EdgeTarget,
    traits={ONLINE: None, CONTAINER: None},
    foundation="with location",
    reserved=dict.fromkeys(("edgeagent", "edgehub"), "a system module of IoT Edge"),
    ports="target",
    check_target=_target,
    check_service=_service,
    needs=(LOGIN,),
)
