"""GroupGate: a container group really serves: it runs, does not restart, is ready, and answers its golden requests."""

from __future__ import annotations

import os
import re
import ssl
from collections.abc import Mapping, Sequence
from typing import Any, Final, cast

import httpx

from mldeploy.provider.azure import arm
from mldeploy.provider.common.golden_http import Answer, post
from mldeploy.provider.common.golden_requests import GoldenFields, GoldenGate, GoldenRequest, fault_of
from mldeploy.provider.framework import waiting
from mldeploy.provider.framework.declare import In, Opt, Or, field
from mldeploy.provider.framework.resource import Context, ProvisionError
from mldeploy.provider.local import startup

_API: Final = "2024-05-01-preview"
ENDPOINT_VARIABLE: Final = "MLDEPLOY_ACI_ENDPOINT"
# A large image takes minutes to pull, and a pull that is not allowed yet is repeated meanwhile.
_START_SECONDS: Final = 20 * 60.0
_READY_SECONDS: Final = 10 * 60.0
_REQUEST_SECONDS: Final = 120.0
_LOG_LINES: Final = 40
_SHOWN_BODY: Final = 500
# After how many restarts it is no accident any more.
_RESTARTS: Final = 2


class GroupGateFields(GoldenFields, token="mldeploy:azure:GroupGate"):
    """That a container group runs and answers its golden requests."""

    group_id: In[str] = field("The group's resource id.")
    container: In[str] = field("The container's name.")
    service: In[str] = field("The service's name.")
    base_uri: In[str] = field("Where it is reached: scheme, host, port.", replaces=False)
    private: Or[bool] = field(
        "Whether its address may not be reachable from here.", default=False, replaces=False
    )
    certificate: Opt[str] = field(
        "Its certificate in PEM: the only one that is trusted.", default=None, replaces=False
    )
    key: Opt[str] = field("The service's primary key.", default=None, secret=True, replaces=False)
    revision: Opt[str] = field("Another value: the container was started anew.", default=None, replaces=False)


class GroupGate(GoldenGate[GroupGateFields]):
    """Comes after the group, which changes in place: a failed gate fails the `up` with the container's own words, and
    the group stays as it is, to be looked at."""

    def create(self, ctx: Context, inputs: GroupGateFields) -> tuple[str, dict[str, Any]]:
        """Wait for it and ask it."""
        return f"{inputs.group_id}#gate", self.score(ctx, inputs)

    def score(self, ctx: Context, inputs: GroupGateFields) -> dict[str, Any]:
        """Wait until the container runs and is ready, then send the golden requests."""
        started = waiting.now()
        _running(ctx, inputs)
        if inputs.private:
            ctx.info(
                f"service {inputs.service} has a private address: it runs; its golden requests were not sent"
            )
            return {"passed": 0, "seconds": round(waiting.now() - started, 3)}
        with _client(inputs) as client:
            _ready(ctx, client, inputs)
            for number, item in enumerate(inputs.golden, 1):
                ctx.check_cancelled()
                ctx.status(f"golden request {number} of {len(inputs.golden)}")
                _ask(ctx, client, item, inputs)
        return {"passed": len(inputs.golden), "seconds": round(waiting.now() - started, 3)}


def _running(ctx: Context, inputs: GroupGateFields) -> None:
    """Until the container runs; one that ends again and again is final."""

    def attempt() -> None:
        view = _view(ctx, inputs)
        current = cast("dict[str, Any]", view.get("currentState") or {})
        restarts, state = int(view.get("restartCount") or 0), str(current.get("state") or "Waiting")
        if restarts >= _RESTARTS or (state == "Terminated" and restarts):
            previous = cast("dict[str, Any]", view.get("previousState") or current)
            code = previous.get("exitCode")
            raise _failure(ctx, inputs, f"its container has ended {restarts} times, with exit code {code}")
        if state != "Running":
            last = _events(view)[-1:]
            detail = ": ".join(filter(None, (state, str(current.get("detailStatus") or ""), *last)))
            raise waiting.NotYetError(detail)

    waiting.patiently(
        ctx,
        attempt,
        what=f"the container of service {inputs.service} to run",
        limit=_START_SECONDS,
        advice=f"see `az container show --ids {inputs.group_id}`",
    )


def _view(ctx: Context, inputs: GroupGateFields) -> dict[str, Any]:
    """The container's instance view.

    Raises:
        ProvisionError: the group is gone.
    """
    found = arm.call(ctx, "GET", inputs.group_id, _API, missing_ok=True)
    if found is None:
        raise ProvisionError(
            f"the container group {inputs.group_id} is gone: refresh, then run the update again"
        )
    containers = cast("list[dict[str, Any]]", _inner(found).get("containers") or [])
    nothing: dict[str, Any] = {}
    one = next((c for c in containers if c.get("name") == inputs.container), nothing)
    return cast("dict[str, Any]", _inner(one).get("instanceView") or {})


def _inner(found: Mapping[str, Any]) -> dict[str, Any]:
    return cast("dict[str, Any]", found.get("properties") or {})


def _events(view: Mapping[str, Any]) -> list[str]:
    events = cast("list[dict[str, Any]]", view.get("events") or [])
    return [f"{one.get('name')}: {one.get('message')}" for one in events if one.get("type") == "Warning"]


def _failure(ctx: Context, inputs: GroupGateFields, what: str) -> ProvisionError:
    """With what Azure and the container say about it."""
    found = arm.call(
        ctx, "GET", f"{inputs.group_id}/containers/{inputs.container}/logs", _API,
        missing_ok=True, query=f"tail={_LOG_LINES}",
    )  # fmt: skip
    log = str((found or {}).get("content") or "").splitlines()
    events = [f"  event: {line}" for line in _events(_view(ctx, inputs))]
    title = f"service {inputs.service}: the gate failed: {what}"
    return ProvisionError("\n".join([title, *events]) + _block(log))


def _block(log: Sequence[str]) -> str:
    return startup.block("the end of the container's log", startup.readable(log))


# --- over its address -------------------------------------------------------------------------------------------


def _client(inputs: GroupGateFields) -> httpx.Client:
    base = inputs.base_uri
    host = re.sub(r"^https?://([^:/]+).*$", r"\1", base)
    emulator = os.environ.get(ENDPOINT_VARIABLE)
    headers = {"Authorization": f"Bearer {inputs.key}"} if inputs.key else {}
    verify: ssl.SSLContext | bool = True
    if inputs.certificate and not emulator:
        # The certificate is made out to the name that clients use, and this is the group's own address: what is trusted
        # is this one certificate, and nobody else has its key.
        verify = ssl.create_default_context(cadata=inputs.certificate)
        verify.check_hostname = False
        verify.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    address = emulator.replace("{host}", host) if emulator else base
    # Not through a proxy: the key is for the service alone.
    return httpx.Client(
        base_url=address, headers=headers, timeout=_REQUEST_SECONDS, verify=verify, trust_env=bool(emulator)
    )


def _ready(ctx: Context, client: httpx.Client, inputs: GroupGateFields) -> None:
    def attempt() -> None:
        try:
            answer = client.get("readyz")
        except httpx.HTTPError as error:
            _still_running(ctx, inputs)
            raise waiting.NotYetError(str(error) or type(error).__name__) from None
        if not answer.is_success:
            _still_running(ctx, inputs)
            raise waiting.NotYetError(f"/readyz answers {answer.status_code}")

    waiting.patiently(
        ctx,
        attempt,
        what=f"service {inputs.service} to be ready at {inputs.base_uri}",
        limit=_READY_SECONDS,
        advice="is its port reachable from here, and does init() end?",
    )


def _still_running(ctx: Context, inputs: GroupGateFields) -> None:
    view = _view(ctx, inputs)
    if int(view.get("restartCount") or 0) >= _RESTARTS:
        raise _failure(ctx, inputs, f"its container has ended {view['restartCount']} times")


def _ask(ctx: Context, client: httpx.Client, item: GoldenRequest, inputs: GroupGateFields) -> None:
    def ask() -> Answer:
        try:
            answer = post(client, "score", item, ctx.root)
        except httpx.HTTPError as error:
            reason = f"{item.request}: no answer: {error or type(error).__name__}"
            raise _failure(ctx, inputs, reason) from None
        if not 200 <= answer.status < 300:
            reason = f"{item.request}: status {answer.status}: {answer.text(_SHOWN_BODY)}"
            raise _failure(ctx, inputs, reason)
        return answer

    if found := fault_of(item, ctx.root, ask):
        raise _failure(ctx, inputs, found)
