"""Asking a container registry for a manifest, by the OCI distribution API."""

from __future__ import annotations

import base64
import ipaddress
import json
import os
import re
from pathlib import Path
from typing import Any, Final, cast

import httpx

from mldeploy.provider.azure import arm
from mldeploy.provider.resource import ProvisionError

_ACCEPT: Final = ", ".join(
    (
        "application/vnd.oci.image.index.v1+json",
        "application/vnd.oci.image.manifest.v1+json",
        "application/vnd.docker.distribution.manifest.list.v2+json",
        "application/vnd.docker.distribution.manifest.v2+json",
    )
)
_TIMEOUT: Final = 30
_UNAUTHORIZED: Final = 401
_NOT_FOUND: Final = 404


def find_manifest(server: str, repository: str, reference: str) -> str | None:
    """The digest of a tag (or of itself), or ``None`` when the registry does not have it.

    Args:
        server: the registry's host and port.
        repository: the repository's name.
        reference: a tag, or ``sha256:…``.

    Raises:
        ProvisionError: the registry cannot be reached, or refuses to answer.
    """
    url = f"{_scheme(server)}://{server}/v2/{repository}/manifests/{reference}"
    headers = {"Accept": _ACCEPT}
    try:
        answer = httpx.head(url, headers=headers, timeout=_TIMEOUT, follow_redirects=True)
        if answer.status_code == _UNAUTHORIZED:
            headers["Authorization"] = _authorization(
                server, repository, answer.headers.get("WWW-Authenticate", "")
            )
            answer = httpx.head(url, headers=headers, timeout=_TIMEOUT, follow_redirects=True)
    except httpx.HTTPError as error:
        raise ProvisionError(
            f"registry {server} cannot be asked for {repository}:{reference}: {error}"
        ) from None
    if answer.status_code == _NOT_FOUND:
        return None
    if answer.is_error:
        raise ProvisionError(
            f"registry {server} answered {answer.status_code} for {repository}:{reference}; "
            "`docker login` to it, or on Azure take the role AcrPull"
        )
    return answer.headers.get("Docker-Content-Digest", reference)


def _scheme(server: str) -> str:
    """Docker's own rule: only registries on this machine may speak plain HTTP."""
    host = server.rsplit(":", 1)[0]
    try:
        return "http" if ipaddress.ip_address(host).is_loopback else "https"
    except ValueError:
        return "http" if host == "localhost" else "https"


def _authorization(server: str, repository: str, challenge: str) -> str:
    stored = _stored(server)
    if challenge.lower().startswith("basic"):
        if stored is None:
            raise ProvisionError(f"registry {server} wants a login: run `docker login {server}`")
        return f"Basic {stored}"
    found = dict(re.findall(r'(\w+)="([^"]*)"', challenge))
    scope = f"repository:{repository}:pull"
    if server.endswith(".azurecr.io") and stored is None:
        return f"Bearer {_acr_token(server, scope)}"
    headers = {"Authorization": f"Basic {stored}"} if stored else {}
    query = {"service": found.get("service", server), "scope": scope}
    answer = httpx.get(found.get("realm", ""), params=query, headers=headers, timeout=_TIMEOUT)
    body = _json(answer, server)
    return f"Bearer {body.get('token') or body.get('access_token')}"


def _acr_token(server: str, scope: str) -> str:
    """From an Entra token to the registry's: https://github.com/Azure/acr/blob/main/docs/AAD-OAuth.md"""
    entra = arm.token("https://containerregistry.azure.net/.default")
    form = {"grant_type": "access_token", "service": server, "access_token": entra}
    refresh = _json(httpx.post(f"https://{server}/oauth2/exchange", data=form, timeout=_TIMEOUT), server)
    form = {
        "grant_type": "refresh_token",
        "service": server,
        "scope": scope,
        "refresh_token": str(refresh["refresh_token"]),
    }
    return str(
        _json(httpx.post(f"https://{server}/oauth2/token", data=form, timeout=_TIMEOUT), server)[
            "access_token"
        ]
    )


def _json(answer: httpx.Response, server: str) -> dict[str, Any]:
    if answer.is_error:
        raise ProvisionError(f"registry {server} gave no token: {answer.status_code} {answer.reason_phrase}")
    return cast("dict[str, Any]", answer.json())


def _stored(server: str) -> str | None:
    """The base64 ``user:password`` of a plain `docker login`."""
    folder = os.environ.get("DOCKER_CONFIG")
    path = (Path(folder) if folder else Path.home() / ".docker") / "config.json"
    try:
        entry = json.loads(path.read_text("utf-8")).get("auths", {}).get(server, {})
    except (OSError, ValueError):
        return None
    auth = entry.get("auth")
    if not auth and entry.get("username"):
        auth = base64.b64encode(f"{entry['username']}:{entry.get('password', '')}".encode()).decode()
    return auth or None
