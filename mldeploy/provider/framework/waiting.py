"""Waiting for what Azure does later than it says: roles, containers, builds, addresses. With progress and a limit."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final, TypeVar

from mldeploy.provider.framework.resource import Context, ProvisionError

# Role assignments take up to ten minutes to work, and now and then longer:
# https://learn.microsoft.com/azure/role-based-access-control/troubleshooting
ROLE_SECONDS: Final = 20 * 60.0
_FIRST, _LONGEST = 2.0, 15.0
_STEP = 0.2
_MINUTE = 60
T = TypeVar("T")


class NotYetError(Exception):
    """What is waited for is not there; the message says what the service answers."""


def now() -> float:
    """The time, in seconds from some start."""
    return time.monotonic()


def pause(ctx: Context, seconds: float) -> None:
    """Wait; a cancellation ends it.

    Raises:
        CancelledError: the engine asked to stop.
    """
    deadline = time.monotonic() + seconds
    ctx.check_cancelled()
    while (left := deadline - time.monotonic()) > 0:
        time.sleep(min(left, _STEP))
        ctx.check_cancelled()


def patiently(
    ctx: Context, attempt: Callable[[], T], *, what: str, limit: float, advice: str, longest: float = _LONGEST
) -> T:
    """``attempt`` until it raises no :class:`NotYetError` any more: at first often, then every quarter of a minute.

    Args:
        ctx: shows the progress, and may be cancelled.
        attempt: gives the result, or raises ``NotYetError``.
        what: what is waited for, as the object of "waiting for".
        limit: seconds; the engine's own timeout for the resource stands over it.
        advice: what to do when the time is up.
        longest: the longest pause between two attempts, in seconds.

    Raises:
        ProvisionError: the time is up; with the last answer and the advice.
    """
    limit, started, wait = ctx.timeout or limit, now(), _FIRST
    while True:
        try:
            return attempt()
        except NotYetError as error:
            passed = now() - started
            if passed >= limit:
                message = f"{what} has not come within {span(limit)}: {error}; {advice}"
                raise ProvisionError(message) from None
            ctx.status(f"waiting for {what}: {error} ({span(passed)} of at most {span(limit)})")
        pause(ctx, min(wait, max(limit - passed, 0.1)))
        wait = min(wait * 1.5, longest)


def span(seconds: float) -> str:
    """Minutes and seconds: ``2:05``."""
    return f"{int(seconds) // _MINUTE}:{int(seconds) % _MINUTE:02d}"
