"""Jobs of a batch endpoint of Azure ML: started by its REST interface, followed by the resource manager.

Source: the endpoint's own interface, `POST <scoring URI>`, and `workspaces/jobs` of Microsoft.MachineLearningServices.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from typing import Any, Final, cast

from mldeploy.operations import arm
from mldeploy.operations.model import OperationError

_API: Final = "2025-12-01"
_SCOPE: Final = "https://ml.azure.com/.default"
_ENDED: Final = {"Completed": 0, "Failed": 1, "Canceled": 1, "NotResponding": 1}
_POLL_SECONDS: Final = 5.0
_SHOWN: Final = 500


def run(endpoint_id: str, scoring_uri: str | None, data: str, output: str | None) -> int:
    """Start a job and follow it; 0 when it completed.

    Raises:
        OperationError: see there.
    """
    if not scoring_uri:
        raise OperationError("the endpoint has no address yet: run `mldeploy up`")
    for name, value in (("--input", data), ("--output", output)):
        if value is not None and not value.startswith(("azureml:", "https://")):
            raise OperationError(
                f"{name} {value}: the nodes cannot see it; give azureml://datastores/<name>/paths/<folder>/ or "
                "https://, or --here for a folder of this machine"
            )
    job = _start(scoring_uri, body(data, output))
    workspace = endpoint_id.partition("/batchEndpoints/")[0]
    print(f"job {job}", file=sys.stderr)
    return _follow(f"{workspace}/jobs/{job}")


def body(data: str, output: str | None) -> dict[str, Any]:
    """What an invocation sends."""
    kind = "UriFile" if data.rpartition("/")[2].count(".") else "UriFolder"
    properties: dict[str, Any] = {"InputData": {"data": {"JobInputType": kind, "Uri": data}}}
    if output is not None:
        properties["OutputData"] = {"score": {"JobOutputType": "UriFile", "Uri": output}}
    return {"properties": properties}


def _start(uri: str, sent: Mapping[str, Any]) -> str:
    import httpx

    from mldeploy.provider.azure.arm import token
    from mldeploy.provider.framework.resource import ProvisionError

    try:
        headers = {"Authorization": f"Bearer {token(_SCOPE)}"}
        answer = httpx.post(uri, json=sent, headers=headers, timeout=60)
    except ProvisionError as problem:
        raise OperationError(str(problem)) from None
    except httpx.HTTPError as problem:
        raise OperationError(f"{uri} cannot be reached: {problem}") from None
    if answer.status_code >= 400:
        raise OperationError(f"{uri} answers {answer.status_code}: {answer.text[:_SHOWN]}")
    name = cast("dict[str, Any]", answer.json()).get("name") or answer.json().get("id", "").rpartition("/")[2]
    if not name:
        raise OperationError(f"{uri} names no job: {answer.text[:_SHOWN]}")
    return str(name)


def _follow(job: str) -> int:
    said, started = "", time.monotonic()
    while True:
        found = arm.ask(job, _API)
        if found is None:
            raise OperationError(f"the job {job.rpartition('/')[2]} is gone from Azure ML")
        status = str(arm.under(found, "properties", "status") or "")
        if status != said:
            said = status
            print(f"{status} after {time.monotonic() - started:.0f} s", file=sys.stderr)
        if status in _ENDED:
            return _ENDED[status]
        time.sleep(_POLL_SECONDS)
