"""Gate: golden requests that a replica must answer rightly before it gets the traffic."""

from __future__ import annotations

import json
import secrets
import time
from typing import Any

import httpx

from mldeploy.provider.common.golden_http import Answer, post
from mldeploy.provider.common.golden_requests import GoldenFields, GoldenGate, GoldenRequest, fault_of
from mldeploy.provider.framework.declare import In, field
from mldeploy.provider.framework.resource import Context, ProvisionError
from mldeploy.provider.local import startup
from mldeploy.provider.local.runs import Run

_REQUEST_SECONDS = 120.0
_SHOWN_BODY = 2000
# The server hands its log lines to the file a moment after its answers.
_LOG_SECONDS = 0.3


class GateFields(GoldenFields, token="mldeploy:service:Gate"):
    """Golden requests that a new replica must answer before traffic moves to it."""

    replica: In[str] = field("The replica's id.", replaces=False)
    service: In[str] = field("The service's name.", replaces=False)


class Gate(GoldenGate[GateFields]):
    """Scores a replica on its private socket."""

    def create(self, ctx: Context, inputs: GateFields) -> tuple[str, dict[str, Any]]:
        """Run the requests."""
        return f"{inputs.service}-gate-{secrets.token_hex(3)}", self.score(ctx, inputs)

    def score(self, ctx: Context, inputs: GateFields) -> dict[str, Any]:
        """Run the requests against the replica."""
        run, started = Run("replicas", inputs.replica), time.monotonic()
        with _client(run) as client:
            if not inputs.golden:
                _answers(client, inputs, run)
            for number, item in enumerate(inputs.golden, 1):
                ctx.check_cancelled()
                ctx.status(f"golden request {number} of {len(inputs.golden)}")
                _score(ctx, client, item, inputs, run)
        return {"passed": len(inputs.golden), "seconds": round(time.monotonic() - started, 3)}


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


def _answers(client: httpx.Client, inputs: GateFields, run: Run) -> None:
    for path in ("/", "/swagger.json"):
        try:
            status = client.get(path).status_code
        except httpx.HTTPError as error:
            raise ProvisionError(_failure(inputs, run, f"GET {path}: {error}")) from None
        # A script without a schema has no swagger.json to give.
        if status >= 500 or (path == "/" and status != 200):
            raise ProvisionError(_failure(inputs, run, f"GET {path} answers with status {status}"))


def _score(ctx: Context, client: httpx.Client, item: GoldenRequest, inputs: GateFields, run: Run) -> None:
    def ask() -> Answer:
        try:
            answer = post(client, "/score", item, ctx.root)
        except httpx.HTTPError as error:
            reason = f"{item.request}: no answer: {error or type(error).__name__}"
            raise ProvisionError(_failure(inputs, run, reason)) from None
        if answer.status != 200:
            reason = f"{item.request}: status {answer.status}: {answer.text(_SHOWN_BODY)}"
            raise ProvisionError(_failure(inputs, run, reason))
        return answer

    if found := fault_of(item, ctx.root, ask):
        raise ProvisionError(_failure(inputs, run, found))


def _failure(inputs: GateFields, run: Run, reason: str) -> str:
    time.sleep(_LOG_SECONDS)
    log = [
        startup.as_known(line, run.path, str(run.about().get("source_directory", "")))
        for line in startup.readable(run.tail())
    ]
    title = f"service {inputs.service}: the gate failed: {reason}"
    return title + startup.block("the end of the replica's log", log)
