"""Services on Azure Container Instances."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, cast

from mldeploy.engine import ResourceState
from mldeploy.operations import arm, http
from mldeploy.operations.model import Answer, Keys, OperationError, ServiceStatus, State
from mldeploy.operations.state import current, keys_of, owner
from mldeploy.values.property_value import reveal

_GROUP: Final = "azure-native:containerinstance:ContainerGroup"
_API: Final = "2024-05-01-preview"
# How often a followed log is asked for again, in seconds; the service has no stream.
_PAUSE: Final = 2.0
_FOLLOWED: Final = 1000
_READY_SECONDS: Final = 5.0
_STATES: Final = {
    "running": State.HEALTHY,
    "succeeded": State.STOPPED,
    "stopped": State.STOPPED,
    "failed": State.UNHEALTHY,
}


@dataclass(frozen=True)
class ContainerGroupService:
    """A service on Azure Container Instances."""

    name: str
    group_id: str
    container: str
    scoring_uri: str | None
    swagger_uri: str | None
    models: dict[str, str]
    service_keys: ResourceState | None = field(repr=False)
    kind: str = "aci"

    def status(self, target: str) -> ServiceStatus:
        """See :class:`mldeploy.operations.model.ServiceHandle`."""
        try:
            state, detail = self._state(arm.ask(self.group_id, _API))
        except OperationError as error:
            state, detail = State.UNHEALTHY, f"unknown: {error}"
        return ServiceStatus(
            self.name, target, state, self.models, self.scoring_uri, self.swagger_uri, detail
        )

    def _state(self, found: Mapping[str, Any] | None) -> tuple[State, str]:
        if found is None:
            return State.UNHEALTHY, "the container group is gone from Azure: refresh, then up"
        group = str(arm.under(found, "properties", "instanceView", "state") or "")
        view = arm.under(found, "properties", "containers", 0, "properties", "instanceView")
        current, restarts = arm.under(view, "currentState"), arm.under(view, "restartCount") or 0
        why = str(arm.under(current, "detailStatus") or "")
        detail = f"restarted {restarts} times" if restarts else ""
        if str(arm.under(current, "state") or "") in ("Terminated", "Waiting"):
            # Azure starts it again and again; the group is running all the while.
            state = State.UNHEALTHY if restarts else State.STARTING
            code = arm.under(current, "exitCode")
            return state, ", ".join(filter(None, (why, f"exit code {code}" if code else "", detail)))
        state = _STATES.get(group.lower(), State.STARTING)
        if state is State.HEALTHY and (fault := self._fault()):
            return State.UNHEALTHY, ", ".join(filter(None, (fault, detail)))
        return state, detail if state is State.HEALTHY else ", ".join(filter(None, (group, why, detail)))

    def _fault(self) -> str | None:
        """Why the server in a running container does not answer, as far as this machine can see."""
        if self.scoring_uri is None:
            return None
        import httpx

        url = self.scoring_uri.removesuffix("/score") + "/readyz"
        try:
            # Nothing is sent that a stranger must not see; the certificate is the clients' matter.
            answer = httpx.get(url, timeout=_READY_SECONDS, verify=False, trust_env=False)  # noqa: S501
        except httpx.HTTPError as error:
            return f"{url} does not answer from here: {error}"
        return None if answer.is_success else f"{url} answers {answer.status_code}"

    def logs(self, *, lines: int, follow: bool) -> Iterator[str]:
        """See :class:`mldeploy.operations.model.ServiceHandle`."""
        last = ""
        for stamp, text in self._lines(lines):
            last = stamp
            yield text
        while follow:
            time.sleep(_PAUSE)
            for stamp, text in self._lines(_FOLLOWED):
                if stamp > last:
                    last = stamp
                    yield text

    def _lines(self, most: int) -> Iterator[tuple[str, str]]:
        """The last lines of the container's output, each with its time: RFC 3339, to the nanosecond."""
        place = f"{self.group_id}/containers/{self.container}/logs"
        found = arm.ask(place, _API, f"tail={most}&timestamps=true")
        if found is None:
            raise OperationError(
                f"{self.name}: the container group is gone from Azure, or has not started yet"
            )
        for line in str(found.get("content") or "").splitlines():
            stamp, _, text = line.partition(" ")
            yield stamp, text

    def keys(self) -> Keys | None:
        """See :class:`mldeploy.operations.model.ServiceHandle`."""
        return keys_of(self.service_keys)

    def score(self, body: bytes, content_type: str, timeout: float) -> Answer:
        """See :class:`mldeploy.operations.model.ServiceHandle`."""
        if self.scoring_uri is None:
            raise OperationError(f"{self.name} has no address yet: run `mldeploy up`")
        return http.post(self.scoring_uri, body, content_type, self.keys(), timeout)


def handles(resources: Sequence[ResourceState]) -> list[ContainerGroupService]:
    """Every container group of a state."""
    found: list[ContainerGroupService] = []
    for resource in current(resources, _GROUP):
        if resource.id:
            own = owner(resources, resource)
            container = cast("dict[str, Any]", arm.under(reveal(resource.inputs), "containers", 0) or {})
            found.append(
                ContainerGroupService(
                    own.name,
                    resource.id,
                    str(container.get("name") or own.name),
                    own.outputs.get("scoring_uri"),
                    own.outputs.get("swagger_uri"),
                    _in_container(container),
                    own.keys,
                )
            )
    return found


def _in_container(container: Mapping[str, Any]) -> dict[str, str]:
    """The models that a container was told it has."""
    variables = cast("list[dict[str, Any]]", container.get("environmentVariables") or [])
    text = next((one.get("value") for one in variables if one.get("name") == "SERVING_MODELS"), None)
    return cast("dict[str, str]", json.loads(str(text))) if text else {}
