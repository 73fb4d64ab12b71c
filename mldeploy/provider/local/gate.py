"""Gate: golden requests that a replica must answer rightly before it gets the traffic."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx

from mldeploy.artifacts.sources import inside
from mldeploy.provider.common.golden import mismatch
from mldeploy.provider.common.golden_requests import (
    DEFAULT_TOLERANCE,
    GOLDEN_INPUTS,
    GoldenGate,
    golden_requests,
)
from mldeploy.provider.framework.resource import Context, Field, ProvisionError
from mldeploy.provider.local import startup
from mldeploy.provider.local.runs import Run

_REQUEST_SECONDS = 120.0
_SHOWN_BODY = 2000
# The server hands its log lines to the file a moment after its answers.
_LOG_SECONDS = 0.3


class Gate(GoldenGate):
    """Scores a replica on its private socket."""

    token = "mldeploy:service:Gate"  # noqa: S105
    description = "Golden requests that a new replica must answer before traffic moves to it."
    inputs = {
        "replica": Field(kind="string", required=True, replaces=False, description="The replica's id."),
        "service": Field(kind="string", required=True, replaces=False, description="The service's name."),
        **GOLDEN_INPUTS,
    }

    def create(self, ctx: Context, inputs: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
        """Run the requests."""
        return f"{inputs['service']}-gate-{secrets.token_hex(3)}", self.score(ctx, inputs)

    def score(self, ctx: Context, inputs: Mapping[str, Any]) -> dict[str, Any]:
        """Run the requests against the replica."""
        run, golden, started = (
            Run("replicas", str(inputs["replica"])),
            golden_requests(inputs),
            time.monotonic(),
        )
        with _client(run) as client:
            if not golden:
                _answers(client, inputs, run)
            for number, item in enumerate(golden, 1):
                ctx.check_cancelled()
                ctx.status(f"golden request {number} of {len(golden)}")
                _score(ctx, client, item, inputs, run)
        return {"passed": len(golden), "seconds": round(time.monotonic() - started, 3)}


def _client(run: Run) -> httpx.Client:
    try:
        keys: Any = json.loads((run.path / "keys.json").read_text())
    except OSError:
        raise ProvisionError(f"replica {run.ident} is gone: refresh, then run the update again") from None
    headers = {"Authorization": f"Bearer {keys['primary']}"} if "primary" in keys else {}
    transport = httpx.HTTPTransport(uds=str(run.http))
    return httpx.Client(
        transport=transport, base_url="http://replica", headers=headers, timeout=_REQUEST_SECONDS
    )


def _answers(client: httpx.Client, inputs: Mapping[str, Any], run: Run) -> None:
    for path in ("/", "/swagger.json"):
        try:
            status = client.get(path).status_code
        except httpx.HTTPError as error:
            raise ProvisionError(_failure(inputs, run, f"GET {path}: {error}")) from None
        # A script without a schema has no swagger.json to give.
        if status >= 500 or (path == "/" and status != 200):
            raise ProvisionError(_failure(inputs, run, f"GET {path} answers with status {status}"))


def _score(
    ctx: Context, client: httpx.Client, item: Mapping[str, Any], inputs: Mapping[str, Any], run: Run
) -> None:
    request = str(item["request"])
    body = inside(request, ctx.root).read_bytes()
    default = "application/json" if Path(request).suffix == ".json" else "application/octet-stream"
    content_type = str(item.get("content_type") or default)
    try:
        answer = client.post("/score", content=body, headers={"Content-Type": content_type})
    except httpx.HTTPError as error:
        reason = f"{request}: no answer: {error or type(error).__name__}"
        raise ProvisionError(_failure(inputs, run, reason)) from None
    if answer.status_code != 200:
        text = answer.text[:_SHOWN_BODY]
        raise ProvisionError(_failure(inputs, run, f"{request}: status {answer.status_code}: {text}"))
    if item.get("response") is None:
        return
    expected = inside(str(item["response"]), ctx.root).read_bytes()
    tolerance = item.get("tolerance")
    found = mismatch(expected, answer.content, DEFAULT_TOLERANCE if tolerance is None else float(tolerance))
    if found:
        raise ProvisionError(
            _failure(inputs, run, f"{request}: not the answer in {item['response']}: {found}")
        )


def _failure(inputs: Mapping[str, Any], run: Run, reason: str) -> str:
    time.sleep(_LOG_SECONDS)
    log = [
        startup.as_known(line, run.path, str(run.about().get("source_directory", "")))
        for line in startup.readable(run.tail())
    ]
    title = f"service {inputs['service']}: the gate failed: {reason}"
    return title + startup.block("the end of the replica's log", log)
