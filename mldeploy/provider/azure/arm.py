"""Azure Resource Manager and Entra tokens, the few calls that the resources here need."""

from __future__ import annotations

import functools
import logging
import os
from typing import Any, Final, cast

import httpx

from mldeploy.provider.azure import pipeline_login
from mldeploy.provider.azure.http import code_and_message, send
from mldeploy.provider.framework.resource import Context, ProvisionError

# Other clouds have their own: https://learn.microsoft.com/azure/azure-government/compare-azure-government-global-azure
_DEFAULT_ENDPOINT: Final = "https://management.azure.com"
_NOT_FOUND: Final = 404


class ArmError(ProvisionError):
    """Resource Manager refused: with the HTTP status, the service's code and its message."""

    def __init__(self, what: str, status: int, code: str, message: str) -> None:
        super().__init__(f"{what}: {status} {code}: {message}" if code else f"{what}: {status} {message}")
        self.status, self.code, self.message = status, code, message


@functools.cache
def credential() -> Any:
    """Who asks: as azure-native does it, whom the `ARM_*` variables name; else workload identity, managed identity,
    `az login`, in the order of DefaultAzureCredential.

    Raises:
        ProvisionError: azure-identity is not installed.
    """
    try:
        from azure.identity import DefaultAzureCredential
    except ImportError:
        raise ProvisionError("Azure needs its packages: pip install 'mldeploy[azure]'") from None
    # What it warns of is in the error that `token` raises.
    logging.getLogger("azure.identity").setLevel(logging.ERROR)
    named = pipeline_login.from_environment(os.environ)
    if named is not None:
        return named
    # A key vault says whose tokens it takes, which may be another tenant's than the one that is logged in to.
    return DefaultAzureCredential(
        exclude_interactive_browser_credential=True, additionally_allowed_tenants=["*"]
    )


def token(scope: str, tenant: str | None = None) -> str:
    """An access token for ``scope``, of ``tenant`` where that is not the login's own.

    Raises:
        ProvisionError: nobody is logged in.
    """
    options = {"tenant_id": tenant} if tenant else {}
    try:
        return cast("str", credential().get_token(scope, **options).token)
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
    ctx: Context,
    method: str,
    ident: str,
    version: str,
    body: Any = None,
    *,
    missing_ok: bool = False,
    query: str = "",
) -> dict[str, Any] | None:
    """One request on a resource, repeated when the service is busy. ``query`` has more parameters: ``tail=50``.

    Returns:
        The answer's JSON; ``None`` for a missing resource when that is fine.

    Raises:
        ArmError: refused, or still busy after five attempts: with the service's own code and message.
        ProvisionError: there was no answer.
    """
    address = endpoint()
    headers = {"Authorization": f"Bearer {token(f'{address}/.default')}"}
    url = f"{address}{ident}?api-version={version}" + (f"&{query}" if query else "")
    try:
        answer = send(ctx, method, url, headers=headers, body=body)
    except httpx.HTTPError as error:
        raise ProvisionError(f"{method} {ident}: {error}") from None
    if answer.status_code == _NOT_FOUND and missing_ok:
        return None
    if answer.is_error:
        raise ArmError(f"{method} {ident}", answer.status_code, *code_and_message(answer))
    return cast("dict[str, Any]", answer.json()) if answer.content else {}
