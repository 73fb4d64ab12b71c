"""Requests to Azure's services, repeated when a service is busy."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any, Final, cast

import httpx

from mldeploy.provider.framework import waiting
from mldeploy.provider.framework.resource import Context

_RETRIED: Final = frozenset({408, 429, 500, 502, 503, 504})
_CONFLICT: Final = 409
# https://learn.microsoft.com/azure/azure-resource-manager/management/common-deployment-errors
_UNDER_WAY: Final = frozenset({"AnotherOperationInProgress", "ConflictingServerOperation"})
_ATTEMPTS: Final = 5
_LONGEST_WAIT: Final = 60.0
_TIMEOUT: Final = httpx.Timeout(60.0, connect=10.0)


@functools.cache
def client() -> httpx.Client:
    """One for all requests: connections are kept, and the trusted certificates are read once."""
    return httpx.Client(timeout=_TIMEOUT)


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
            answer = client().request(method, url, json=body, headers=dict(headers or {}))
        except httpx.HTTPError as error:
            # A host that has no address does not get one within seconds.
            if last or _no_such_host(error):
                raise
            waiting.pause(ctx, 2.0**attempt)
            continue
        if last or not _comes_again(answer):
            return answer
        waiting.pause(ctx, _retry_after(answer, 2.0**attempt))
    raise AssertionError("the loop returns or raises")


def code_and_message(answer: httpx.Response) -> tuple[str, str]:
    """The service's own code and message; an empty code where it gave none."""
    try:
        error = cast("dict[str, Any]", answer.json())["error"]
        return str(error["code"]), str(error["message"])
    except (ValueError, KeyError, TypeError):
        return "", answer.reason_phrase


def reason(answer: httpx.Response) -> str:
    """The service's own code and message: `Forbidden: …`."""
    return ": ".join(filter(None, code_and_message(answer)))


def _comes_again(answer: httpx.Response) -> bool:
    """Busy, or another operation is under way on the same resource."""
    conflict = answer.status_code == _CONFLICT and code_and_message(answer)[0] in _UNDER_WAY
    return conflict or answer.status_code in _RETRIED


def _no_such_host(error: httpx.HTTPError) -> bool:
    return isinstance(error, httpx.ConnectError) and any(
        text in str(error) for text in ("Name or service not known", "No address associated", "nodename nor")
    )


def _retry_after(answer: httpx.Response, otherwise: float) -> float:
    try:
        return min(float(answer.headers.get("Retry-After", otherwise)), _LONGEST_WAIT)
    except ValueError:
        return otherwise
