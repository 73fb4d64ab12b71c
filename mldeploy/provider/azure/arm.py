"""Azure Resource Manager and Entra tokens, the few calls that the resources here need."""

from __future__ import annotations

import functools
import os
import time
from typing import Any, Final, cast

import httpx

from mldeploy.provider.resource import Context, ProvisionError

# Other clouds have their own: https://learn.microsoft.com/azure/azure-government/compare-azure-government-global-azure
_DEFAULT_ENDPOINT: Final = "https://management.azure.com"
_RETRIED: Final = frozenset({408, 429, 500, 502, 503, 504})
_ATTEMPTS: Final = 5
_NOT_FOUND: Final = 404
_LONGEST_WAIT: Final = 60.0


@functools.cache
def credential() -> Any:
    """Who asks: workload identity, managed identity, `az login`, in the order of DefaultAzureCredential.

    Raises:
        ProvisionError: azure-identity is not installed.
    """
    try:
        from azure.identity import DefaultAzureCredential
    except ImportError:
        raise ProvisionError("Azure needs its packages: pip install 'mldeploy[azure]'") from None
    return DefaultAzureCredential(exclude_interactive_browser_credential=True)


def token(scope: str) -> str:
    """An access token for ``scope``.

    Raises:
        ProvisionError: nobody is logged in.
    """
    try:
        return cast("str", credential().get_token(scope).token)
    except ProvisionError:
        raise
    except Exception as error:
        # The credential chain raises its own and its parts' exceptions; the first line names what was tried.
        first = (str(error) or type(error).__name__).splitlines()[0]
        raise ProvisionError(f"no Azure login for {scope}: {first}; run `az login` or set up OIDC") from None


def endpoint() -> str:
    """The resource manager's address; ``AZURE_RESOURCE_MANAGER_ENDPOINT`` names another cloud's."""
    return os.environ.get("AZURE_RESOURCE_MANAGER_ENDPOINT", _DEFAULT_ENDPOINT).rstrip("/")


def call(
    ctx: Context, method: str, ident: str, version: str, body: Any = None, *, missing_ok: bool = False
) -> dict[str, Any] | None:
    """One request on a resource, repeated when the service is busy.

    Returns:
        The answer's JSON; ``None`` for a missing resource when that is fine.

    Raises:
        ProvisionError: refused, or still busy after five attempts: with the service's own code and message.
    """
    address = endpoint()
    headers = {"Authorization": f"Bearer {token(f'{address}/.default')}"}
    url = f"{address}{ident}?api-version={version}"
    for attempt in range(_ATTEMPTS):
        ctx.check_cancelled()
        try:
            answer = httpx.request(method, url, json=body, headers=headers, timeout=60)
        except httpx.HTTPError as error:
            if attempt == _ATTEMPTS - 1:
                raise ProvisionError(f"{method} {ident}: {error}") from None
            _wait(ctx, 2.0**attempt)
            continue
        if answer.status_code in _RETRIED and attempt < _ATTEMPTS - 1:
            _wait(ctx, _retry_after(answer, 2.0**attempt))
            continue
        if answer.status_code == _NOT_FOUND and missing_ok:
            return None
        if answer.is_error:
            raise ProvisionError(f"{method} {ident}: {answer.status_code} {_reason(answer)}")
        return cast("dict[str, Any]", answer.json()) if answer.content else {}
    raise ProvisionError(f"{method} {ident}: still busy after {_ATTEMPTS} attempts")


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


def _reason(answer: httpx.Response) -> str:
    try:
        error = cast("dict[str, Any]", answer.json())["error"]
        return f"{error['code']}: {error['message']}"
    except (ValueError, KeyError, TypeError):
        return answer.reason_phrase
