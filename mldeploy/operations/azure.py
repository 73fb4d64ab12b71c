"""Services on Azure without a cluster: container groups and batch endpoints, asked of Azure Resource Manager."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, NoReturn, cast

from mldeploy.engine import ResourceState
from mldeploy.operations import http
from mldeploy.operations.model import Answer, Keys, OperationError, ServiceStatus, State
from mldeploy.values.property_value import Secret

_GROUP: Final = "azure-native:containerinstance:ContainerGroup"
_ENDPOINT: Final = "azure-native:machinelearningservices:BatchEndpoint"
_DEPLOYMENT: Final = "azure-native:machinelearningservices:BatchDeployment"
_KEYS: Final = "mldeploy:service:ServiceKeys"
_GROUP_API, _ENDPOINT_API = "2024-05-01-preview", "2025-12-01"
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


def _ask(ident: str, version: str, query: str = "") -> dict[str, Any] | None:
    """A resource as Azure has it now, None when it is gone.

    Raises:
        OperationError: nobody is logged in, or Azure refuses.
    """
    # Importing httpx takes a while: only a stack on Azure pays.
    from mldeploy.provider.azure import arm
    from mldeploy.provider.framework.resource import Context, ProvisionError

    try:
        return arm.call(Context(root=Path.cwd()), "GET", ident, version, missing_ok=True, query=query)
    except ProvisionError as error:
        raise OperationError(str(error)) from None


def _under(value: Any, *path: str | int) -> Any:
    """What is at ``path`` of an answer; None where a part is missing."""
    for part in path:
        if isinstance(value, Mapping):
            value = cast("Mapping[str, Any]", value).get(str(part))
        elif isinstance(value, list) and isinstance(part, int) and part < len(cast("list[Any]", value)):
            value = cast("list[Any]", value)[part]
        else:
            return None
    return value


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
            state, detail = self._state(_ask(self.group_id, _GROUP_API))
        except OperationError as error:
            state, detail = State.UNHEALTHY, f"unknown: {error}"
        return ServiceStatus(
            self.name, target, state, self.models, self.scoring_uri, self.swagger_uri, detail
        )

    def _state(self, found: Mapping[str, Any] | None) -> tuple[State, str]:
        if found is None:
            return State.UNHEALTHY, "the container group is gone from Azure: refresh, then up"
        group = str(_under(found, "properties", "instanceView", "state") or "")
        view = _under(found, "properties", "containers", 0, "properties", "instanceView")
        current, restarts = _under(view, "currentState"), _under(view, "restartCount") or 0
        why = str(_under(current, "detailStatus") or "")
        detail = f"restarted {restarts} times" if restarts else ""
        if str(_under(current, "state") or "") in ("Terminated", "Waiting"):
            # Azure starts it again and again; the group is running all the while.
            state = State.UNHEALTHY if restarts else State.STARTING
            code = _under(current, "exitCode")
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
        found = _ask(place, _GROUP_API, f"tail={most}&timestamps=true")
        if found is None:
            raise OperationError(
                f"{self.name}: the container group is gone from Azure, or has not started yet"
            )
        for line in str(found.get("content") or "").splitlines():
            stamp, _, text = line.partition(" ")
            yield stamp, text

    def keys(self) -> Keys | None:
        """See :class:`mldeploy.operations.model.ServiceHandle`."""
        if self.service_keys is None:
            return None
        outputs = self.service_keys.outputs
        return Keys(str(_clear(outputs["primary"])), str(_clear(outputs["secondary"])))

    def score(self, body: bytes, content_type: str, timeout: float) -> Answer:
        """See :class:`mldeploy.operations.model.ServiceHandle`."""
        if self.scoring_uri is None:
            raise OperationError(f"{self.name} has no address yet: run `mldeploy up`")
        return http.post(self.scoring_uri, body, content_type, self.keys(), timeout)


@dataclass(frozen=True)
class BatchService:
    """A batch endpoint of Azure ML: it scores files, in jobs."""

    name: str
    endpoint_id: str
    scoring_uri: str | None
    models: dict[str, str]
    kind: str = "batch"

    def status(self, target: str) -> ServiceStatus:
        """See :class:`mldeploy.operations.model.ServiceHandle`."""
        try:
            found = _ask(self.endpoint_id, _ENDPOINT_API)
        except OperationError as error:
            state, detail = State.UNHEALTHY, f"unknown: {error}"
        else:
            state, detail = self._state(found)
        return ServiceStatus(self.name, target, state, self.models, self.scoring_uri, None, detail)

    @staticmethod
    def _state(found: Mapping[str, Any] | None) -> tuple[State, str]:
        if found is None:
            return State.UNHEALTHY, "the endpoint is gone from Azure ML: refresh, then up"
        default = _under(found, "properties", "defaults", "deploymentName")
        provisioning = str(_under(found, "properties", "provisioningState") or "Succeeded")
        if provisioning != "Succeeded":
            return (State.UNHEALTHY if provisioning == "Failed" else State.STARTING), provisioning
        if not default:
            return State.UNHEALTHY, "the endpoint has no default deployment: run `mldeploy up`"
        return State.HEALTHY, f"deployment {default}"

    def logs(self, *, lines: int, follow: bool) -> Iterator[str]:
        """Each job has its own."""
        del lines, follow
        self._of_a_job(
            "`az ml batch-endpoint list-jobs` names its jobs, `az ml job stream` shows the log of one"
        )

    def keys(self) -> Keys | None:
        """Clients use Entra tokens."""
        return None

    def score(self, body: bytes, content_type: str, timeout: float) -> Answer:
        """It scores files, not requests."""
        del body, content_type, timeout
        self._of_a_job("`az ml batch-endpoint invoke --input <folder>` starts one")

    def _of_a_job(self, advice: str) -> NoReturn:
        _, _, _, group, *_, workspace, _, endpoint = self.endpoint_id.strip("/").split("/")
        where = f"--name {endpoint} --workspace-name {workspace} --resource-group {group}"
        raise OperationError(f"{self.name} scores files in jobs: {advice} ({where})")


def handles(resources: Sequence[ResourceState]) -> list[ContainerGroupService | BatchService]:
    """Every container group and batch endpoint of a state."""
    current = [resource for resource in resources if not resource.delete]
    components = {resource.urn: resource for resource in current if not resource.custom}
    keys = {resource.parent: resource for resource in current if resource.type == _KEYS}
    found: list[ContainerGroupService | BatchService] = []
    for resource in current:
        if resource.type not in (_GROUP, _ENDPOINT) or not resource.id:
            continue
        name = resource.parent.rsplit("::", 1)[-1]
        parent = components.get(resource.parent)
        outputs = cast("dict[str, Any]", _clear(parent.outputs)) if parent else {}
        scoring, swagger = outputs.get("scoring_uri"), outputs.get("swagger_uri")
        if resource.type == _ENDPOINT:
            models = _deployed(
                next((r for r in current if r.type == _DEPLOYMENT and r.parent == resource.parent), None)
            )
            found.append(BatchService(name, resource.id, scoring, models))
            continue
        container = cast("dict[str, Any]", _under(_clear(resource.inputs), "containers", 0) or {})
        models = _in_container(container)
        given = keys.get(resource.parent)
        found.append(
            ContainerGroupService(
                name, resource.id, str(container.get("name") or name), scoring, swagger, models, given
            )
        )
    return found


def _in_container(container: Mapping[str, Any]) -> dict[str, str]:
    """The models that a container was told it has."""
    variables = cast("list[dict[str, Any]]", container.get("environmentVariables") or [])
    text = next((one.get("value") for one in variables if one.get("name") == "SERVING_MODELS"), None)
    return cast("dict[str, str]", json.loads(str(text))) if text else {}


def _deployed(deployment: ResourceState | None) -> dict[str, str]:
    """The model of a batch deployment, ``…/models/<name>/versions/<version>``."""
    ident = _under(_clear(deployment.inputs), "properties", "model", "assetId") if deployment else None
    *_, models, name, versions, version = ("", "", "", "", *str(ident or "").split("/"))
    return {name: version} if (models, versions) == ("models", "versions") else {}


def _clear(value: Any) -> Any:
    """``value`` without its secrets' wrappers."""
    if isinstance(value, Secret):
        return _clear(value.value)
    if isinstance(value, Mapping):
        return {key: _clear(item) for key, item in cast("Mapping[str, Any]", value).items()}
    if isinstance(value, list):
        return [_clear(item) for item in cast("list[Any]", value)]
    return value
