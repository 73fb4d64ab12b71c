"""Batch endpoints of Azure ML."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NoReturn

from mldeploy.engine import ResourceState
from mldeploy.operations import arm, batch_jobs
from mldeploy.operations.batch_runs import BatchRequest
from mldeploy.operations.model import Answer, Keys, OperationError, ServiceStatus, State
from mldeploy.operations.stack import find_service
from mldeploy.operations.state import current, owner
from mldeploy.session import Session, UsageError
from mldeploy.values.property_value import reveal

_ENDPOINT: Final = "azure-native:machinelearningservices:BatchEndpoint"
_DEPLOYMENT: Final = "azure-native:machinelearningservices:BatchDeployment"
_API: Final = "2025-12-01"


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
            found = arm.ask(self.endpoint_id, _API)
        except OperationError as error:
            state, detail = State.UNHEALTHY, f"unknown: {error}"
        else:
            state, detail = self._state(found)
        return ServiceStatus(self.name, target, state, self.models, self.scoring_uri, None, detail)

    @staticmethod
    def _state(found: Mapping[str, Any] | None) -> tuple[State, str]:
        if found is None:
            return State.UNHEALTHY, "the endpoint is gone from Azure ML: refresh, then up"
        default = arm.under(found, "properties", "defaults", "deploymentName")
        provisioning = str(arm.under(found, "properties", "provisioningState") or "Succeeded")
        if provisioning != "Succeeded":
            return (State.UNHEALTHY if provisioning == "Failed" else State.STARTING), provisioning
        if not default:
            return State.UNHEALTHY, "the endpoint has no default deployment: run `mldeploy up`"
        return State.HEALTHY, f"deployment {default}"

    def run(self, data: str, output: str | None) -> int:
        """Start a job over a folder and follow it to its end; 0 when it completed.

        Args:
            data: `azureml://…` or `https://…` of a folder.
            output: `azureml://…` of the folder for the results. Default: the workspace's own store.

        Raises:
            OperationError: Azure ML refuses it, or cannot be reached.
        """
        return batch_jobs.run(self.endpoint_id, self.scoring_uri, data, output)

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


def run_batch(session: Session, request: BatchRequest) -> int:
    """Start a job of the service's endpoint and follow it to its end; the exit code.

    Raises:
        UsageError: an option that a deployment cannot take for one job.
        OperationError: the service is not deployed as a batch endpoint, or Azure ML refuses the job.
    """
    found = find_service(session, request.service)
    if not isinstance(found, BatchService):
        raise OperationError(f"{request.service} is deployed as {found.kind}: run `mldeploy up` first")
    if request.options:
        raise UsageError(
            f"{request.options[0]}: a deployment in Azure ML has its options from `batch:`; give --here"
        )
    return found.run(request.input, request.output)


def handles(resources: Sequence[ResourceState]) -> list[BatchService]:
    """Every batch endpoint of a state."""
    deployed = {one.parent: one for one in reversed(current(resources, _DEPLOYMENT))}
    found: list[BatchService] = []
    for resource in current(resources, _ENDPOINT):
        if resource.id:
            own = owner(resources, resource)
            models = _deployed(deployed.get(resource.parent))
            found.append(BatchService(own.name, resource.id, own.outputs.get("scoring_uri"), models))
    return found


def _deployed(deployment: ResourceState | None) -> dict[str, str]:
    """The model of a batch deployment, ``…/models/<name>/versions/<version>``."""
    ident = arm.under(reveal(deployment.inputs), "properties", "model", "assetId") if deployment else None
    *_, models, name, versions, version = ("", "", "", "", *str(ident or "").split("/"))
    return {name: version} if (models, versions) == ("models", "versions") else {}
