"""Services on IoT Edge devices: what the hub says of their deployment."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NoReturn, cast

from mldeploy.engine.base.state import ResourceState
from mldeploy.operations.model import Answer, Keys, OperationError, ServiceStatus, State
from mldeploy.operations.state import current
from mldeploy.values.property_value import reveal

_DEPLOYMENT = "mldeploy:edge:EdgeDeployment"
_PORT = "5001/tcp"


@dataclass
class EdgeRollout:
    """One deployment of the state, asked about once."""

    hub: str
    deployment: str
    connection_string: str | None = field(repr=False)
    _found: tuple[State, str] | None = None

    def state(self) -> tuple[State, str]:
        """What it is doing, and how many devices are targeted, have it, and report success or failure."""
        if self._found is None:
            self._found = self._ask()
        return self._found

    def _ask(self) -> tuple[State, str]:
        # Importing httpx takes a while: only a stack with devices pays.
        from mldeploy.provider.edge.auth import AuthError, credential
        from mldeploy.provider.edge.client import HubClient, HubError
        from mldeploy.provider.edge.rollout import Counts

        try:
            with HubClient(self.hub, credential(self.connection_string, self.hub)) as hub:
                found = hub.get(self.deployment)
        except (AuthError, HubError) as error:
            return State.UNHEALTHY, f"unknown: {error}"
        if found is None:
            return State.UNHEALTHY, f"deployment {self.deployment} is gone from the hub: refresh, then up"
        counts = Counts.of(found)
        if counts.failed:
            state = State.UNHEALTHY
        elif not counts.targeted:
            state = State.STOPPED
        else:
            state = State.HEALTHY if counts.succeeded >= counts.targeted else State.STARTING
        return state, str(counts)


@dataclass(frozen=True)
class EdgeService:
    """A module of a deployment."""

    name: str
    rollout: EdgeRollout
    module: Mapping[str, Any]
    kind: str = "edge"

    def status(self, target: str) -> ServiceStatus:
        """See :class:`mldeploy.operations.model.ServiceHandle`."""
        state, detail = self.rollout.state()
        models = json.loads(str(self._env("SERVING_MODELS") or "{}"))
        base = self._base()
        return ServiceStatus(
            self.name, target, state, models, f"{base}/score", f"{base}/swagger.json", detail
        )

    def logs(self, *, lines: int, follow: bool) -> Iterator[str]:
        """Logs stay on the devices."""
        del lines, follow
        self._on_the_device(
            f"run `iotedge logs {self.name}` there, or the direct method GetModuleLogs of $edgeAgent"
        )

    def keys(self) -> Keys | None:
        """Keys stay on the devices."""
        if self._env("SERVING_AUTH_ENABLED") != "true":
            return None
        self._on_the_device("they are in the file that edge.keys_file names")

    def score(self, body: bytes, content_type: str, timeout: float) -> Answer:
        """There is one address a device."""
        del body, content_type, timeout
        self._on_the_device(f"POST to {self._base()}/score of a device")

    def _on_the_device(self, advice: str) -> NoReturn:
        raise OperationError(f"{self.name} runs on devices: {advice}")

    def _env(self, name: str) -> Any:
        return cast("Mapping[str, Any]", self.module.get("env") or {}).get(name)

    def _base(self) -> str:
        scheme = "https" if self._env("SERVING_SSL") else "http"
        found: Any = self.module.get("create_options")
        for key in ("HostConfig", "PortBindings", _PORT):
            found = cast("Mapping[str, Any]", found or {}).get(key)
        bindings = cast("list[dict[str, str]]", found)
        return (
            f"{scheme}://<device>:{bindings[0]['HostPort']}" if bindings else f"{scheme}://{self.name}:5001"
        )


def exported(resources: Sequence[ResourceState], service: str) -> tuple[dict[str, Any], list[str]]:
    """The deployment that a service is a module of: the file's content, and the arguments of `az` that go with it.

    Raises:
        OperationError: no deployment of the state has such a module.
    """
    from mldeploy.provider.edge.deployment import content_of
    from mldeploy.provider.edge.fields import EdgeDeploymentFields

    for resource in current(resources, _DEPLOYMENT):
        inputs = EdgeDeploymentFields.decode(cast("dict[str, Any]", reveal(resource.inputs)))
        if service in (inputs.modules or {}):
            arguments = ["az", "iot", "edge", "deployment", "create", "--hub-name", inputs.hub.split(".")[0]]
            arguments += ["--deployment-id", inputs.name, "--target-condition", inputs.target_condition]
            arguments += ["--priority", str(inputs.priority), *(["--layered"] if inputs.layered else [])]
            return {"content": content_of(inputs)}, arguments
    raise OperationError(f"no deployment to devices has a service {service!r}: run `mldeploy up` first")


def handles(resources: Sequence[ResourceState]) -> list[EdgeService]:
    """Every module of every deployment of a state."""
    found: list[EdgeService] = []
    for resource in current(resources, _DEPLOYMENT):
        outputs = cast("Mapping[str, Any]", reveal(resource.outputs))
        rollout = EdgeRollout(
            str(outputs["hub"]), str(outputs["deployment_id"]), outputs.get("connection_string")
        )
        modules = cast("Mapping[str, Mapping[str, Any]]", outputs.get("modules") or {})
        found += [EdgeService(name, rollout, module) for name, module in sorted(modules.items())]
    return found
