"""A hub with devices, and a deployment resource to drive against it."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mldeploy.provider.edge import client as client_module
from mldeploy.provider.edge.deployment import EdgeDeployment
from mldeploy.provider.framework.resource import CheckError, Context
from tests.edge.standin import Device, Hub, HubServer, serve
from tests.plain_values import Plain

IMAGE = "cr.example.azurecr.io/diabetes@sha256:" + "a" * 64
OTHER = "cr.example.azurecr.io/diabetes@sha256:" + "b" * 64


@pytest.fixture
def server() -> Iterator[HubServer]:
    hub = Hub()
    hub.devices = {
        "line-1": Device(tags={"site": "plant-7"}),
        "line-2": Device(tags={"site": "plant-7"}),
        "line-3": Device(tags={"site": "plant-8"}),
        "sensor": Device(tags={"site": "plant-7"}, iot_edge=False),
    }
    with serve(hub) as running:
        yield running


@pytest.fixture(autouse=True)
def no_backoff(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Retries come at once; the waits that were asked for are recorded."""
    asked: list[float] = []
    monkeypatch.setattr(client_module, "_delay", lambda attempt, wanted: asked.append(wanted) or 0.001)
    return asked


class Driver:
    """What an engine does with one resource: check, then create, update, replace or delete."""

    def __init__(self, server: HubServer) -> None:
        self.server = server
        self.resource = Plain(EdgeDeployment())
        self.messages: list[str] = []
        self.ctx = Context(
            root=Path.cwd(),
            status=self.messages.append,
            info=self.messages.append,
            warn=self.messages.append,
        )
        self.ident = ""
        self.state: dict[str, Any] = {}
        self.inputs: dict[str, Any] = {}

    def wanted(self, **changes: Any) -> dict[str, Any]:
        base: dict[str, Any] = {
            "name": "acme-prod-devices",
            "hub": self.server.hub.host,
            "connection_string": self.server.hub.connection_string,
            "target_condition": "tags.site='plant-7'",
            "priority": 10,
            "modules": {"diabetes": {"image": IMAGE}},
        }
        return copy.deepcopy(base | changes)

    def check(self, **changes: Any) -> dict[str, Any]:
        wanted = self.wanted(**changes)
        if faults := self.resource.faults(wanted):
            raise CheckError(*faults)
        return wanted | self.resource.check(self.ctx, self.inputs, wanted)

    def diff(self, **changes: Any) -> tuple[dict[str, str], set[str]]:
        found = self.resource.diff(self.ctx, self.ident, self.state, self.inputs, self.check(**changes))
        return found.details, {path.split(".")[0] for path in found.replaces}

    def create(self, **changes: Any) -> None:
        inputs = self.check(**changes)
        self.ident, outputs = self.resource.create(self.ctx, inputs)
        self.inputs, self.state = inputs, inputs | outputs

    def up(self, **changes: Any) -> str:
        """What happened: create, same, update or replace."""
        if not self.ident:
            self.create(**changes)
            return "create"
        inputs = self.check(**changes)
        details, replaces = self.diff(**changes)
        if not details:
            return "same"
        if replaces:
            old_ident, old_state = self.ident, self.state
            self.create(**changes)
            self.resource.delete(self.ctx, old_ident, old_state)
            return "replace"
        outputs = self.resource.update(self.ctx, self.ident, self.state, self.inputs, inputs)
        self.inputs, self.state = inputs, inputs | outputs
        return "update"

    def refresh(self) -> dict[str, Any] | None:
        """The changes to inputs that a refresh finds; None when the deployment is gone."""
        found = self.resource.read(self.ctx, self.ident, self.state, self.inputs)
        if found is None:
            return None
        self.state, changed = found
        self.inputs = self.inputs | changed
        return changed

    def destroy(self) -> None:
        self.resource.delete(self.ctx, self.ident, self.state)

    @property
    def deployment(self) -> str:
        return self.state["deployment_id"]


@pytest.fixture
def driver(server: HubServer) -> Driver:
    return Driver(server)
