"""Requests to Azure's services, repeated when a service is busy."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any, Final, cast

import httpx

from mldeploy.provider.framework.resource import Context

_RETRIED: Final = frozenset({408, 429, 500, 502, 503, 504})
_ATTEMPTS: Final = 5
_LONGEST_WAIT: Final = 60.0
_TIMEOUT: Final = httpx.Timeout(60.0, connect=10.0)


def send(
    ctx: Context, method: str, url: str, *, headers: Mapping[str, str] | None = None, body: Any = None
) -> httpx.Response:
    """One request, five times at most; between two attempts it waits as long as `Retry-After` says.

    Returns:
        The last answer, whatever its status.

    Raises:
        httpx.HTTPError: there was no answer, five times.
        CancelledError: the engine asked to stop.
    """
    for attempt in range(_ATTEMPTS):
        ctx.check_cancelled()
        last = attempt == _ATTEMPTS - 1
        try:
            answer = httpx.request(method, url, json=body, headers=dict(headers or {}), timeout=_TIMEOUT)
        except httpx.HTTPError as error:
            # A host that has no address does not get one within seconds.
            if last or _no_such_host(error):
                raise
            _wait(ctx, 2.0**attempt)
            continue
        if last or answer.status_code not in _RETRIED:
            return answer
        _wait(ctx, _retry_after(answer, 2.0**attempt))
    raise AssertionError("the loop returns or raises")


def reason(answer: httpx.Response) -> str:
    """The service's own code and message: `Forbidden: …`."""
    try:
        error = cast("dict[str, Any]", answer.json())["error"]
        return f"{error['code']}: {error['message']}"
    except (ValueError, KeyError, TypeError):
        return answer.reason_phrase


def _no_such_host(error: httpx.HTTPError) -> bool:
    return isinstance(error, httpx.ConnectError) and any(
        text in str(error) for text in ("Name or service not known", "No address associated", "nodename nor")
    )


def _retry_after(answer: httpx.Response, otherwise: float) -> float:
    try:
        return min(float(answer.headers.get("Retry-After", otherwise)), _LONGEST_WAIT)
    except ValueError:
        return otherwise


def _wait(ctx: Context, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while (left := deadline - time.monotonic()) > 0:
        ctx.check_cancelled()
        time.sleep(min(left, 0.2))
