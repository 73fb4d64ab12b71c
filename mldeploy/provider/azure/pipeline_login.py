"""The login that the `ARM_*` variables name, which azure-native uses: so that both are the same principal.

https://www.pulumi.com/registry/packages/azure-native/installation-configuration/
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import httpx

from mldeploy.provider.framework.resource import ProvisionError

_AUDIENCE: Final = "api://AzureADTokenExchange"
_SECONDS: Final = 30


def from_environment(environment: Mapping[str, str]) -> Any:
    """A credential of azure-identity; None where the variables name nobody.

    Raises:
        ProvisionError: they name somebody, and not how to log in.
    """
    if _true(environment.get("ARM_USE_MSI")):
        from azure.identity import ManagedIdentityCredential

        client = environment.get("ARM_CLIENT_ID")
        return ManagedIdentityCredential(client_id=client) if client else ManagedIdentityCredential()
    client, tenant = environment.get("ARM_CLIENT_ID"), environment.get("ARM_TENANT_ID")
    if not client or not tenant:
        return None
    options: dict[str, Any] = {"additionally_allowed_tenants": ["*"]}
    if _true(environment.get("ARM_USE_OIDC")):
        from azure.identity import ClientAssertionCredential

        return ClientAssertionCredential(tenant, client, _assertion(environment), **options)
    if secret := environment.get("ARM_CLIENT_SECRET"):
        from azure.identity import ClientSecretCredential

        return ClientSecretCredential(tenant, client, secret, **options)
    if path := environment.get("ARM_CLIENT_CERTIFICATE_PATH"):
        from azure.identity import CertificateCredential

        password = environment.get("ARM_CLIENT_CERTIFICATE_PASSWORD")
        return CertificateCredential(tenant, client, path, password=password, **options)
    return None


def _true(text: str | None) -> bool:
    return (text or "").lower() in ("1", "true", "yes")


def _assertion(environment: Mapping[str, str]) -> Callable[[], str]:
    """What gives a fresh token of the pipeline, which Entra takes for one of its own."""
    if token := environment.get("ARM_OIDC_TOKEN"):
        return lambda: token
    if path := environment.get("ARM_OIDC_TOKEN_FILE_PATH"):
        return lambda: Path(path).read_text("utf-8").strip()
    url = environment.get("ARM_OIDC_REQUEST_URL") or environment.get("ACTIONS_ID_TOKEN_REQUEST_URL")
    bearer = environment.get("ARM_OIDC_REQUEST_TOKEN") or environment.get("ACTIONS_ID_TOKEN_REQUEST_TOKEN")
    if not url or not bearer:
        raise ProvisionError(
            "ARM_USE_OIDC is set, and there is no token to show: set ARM_OIDC_TOKEN, ARM_OIDC_TOKEN_FILE_PATH, or run "
            "where the pipeline gives ACTIONS_ID_TOKEN_REQUEST_URL (GitHub: `permissions: {id-token: write}`)"
        )

    def ask() -> str:
        answer = httpx.get(
            url,
            params={"audience": _AUDIENCE},
            headers={"Authorization": f"Bearer {bearer}"},
            timeout=_SECONDS,
        )
        if answer.is_error:
            raise ProvisionError(
                f"the pipeline gave no OIDC token: {answer.status_code} {answer.reason_phrase}"
            )
        return str(answer.json()["value"])

    return ask
