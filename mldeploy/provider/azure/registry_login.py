"""Logging in to a container registry, as Docker's own command does, and on Azure with the identity that runs this.

Sources: "Token Authentication Specification" and "OAuth2 Token Authentication" of the CNCF Distribution project,
the `docker-credential-helpers` protocol, and Azure's "AAD-OAuth" for the exchange of Entra tokens.
"""

from __future__ import annotations

import base64
import ipaddress
import json
import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, cast

import httpx

from mldeploy.provider.azure import arm
from mldeploy.provider.framework.resource import ProvisionError

TIMEOUT: Final = httpx.Timeout(30.0, connect=10.0)
DOCKER_HUB: Final = "registry-1.docker.io"
_HUB_KEY: Final = "https://index.docker.io/v1/"
_CLIENT: Final = "mldeploy"
_HELPER_SECONDS: Final = 30
# What `docker-credential-*` and Docker's configuration have as the user's name beside an identity token.
_TOKEN_USER: Final = "<token>"  # noqa: S105


@dataclass(frozen=True, repr=False)
class Login:
    """A user name and password, or an identity token. No repr, so that it is not shown."""

    username: str = ""
    password: str = ""
    identity_token: str = ""

    @property
    def basic(self) -> str:
        """The value of a Basic `Authorization` header."""
        return f"Basic {base64.b64encode(f'{self.username}:{self.password}'.encode()).decode()}"


def scheme(server: str) -> str:
    """Docker's own rule: only registries on this machine may speak plain HTTP."""
    host = server.rsplit(":", 1)[0]
    try:
        return "http" if ipaddress.ip_address(host).is_loopback else "https"
    except ValueError:
        return "http" if host == "localhost" else "https"


def authorization(server: str, repository: str, challenge: str, login: Login | None) -> str:
    """The `Authorization` header that a registry's challenge asks for, for pulling from a repository.

    Args:
        server: the registry's host and port.
        repository: the repository's name.
        challenge: its `WWW-Authenticate` header.
        login: a given one. Default: that of Docker's configuration; on `azurecr.io` else that of the identity.

    Raises:
        ProvisionError: it wants a login that is not there, or refuses it.
    """
    if login is None and is_azure(server):
        return _of_azure(server, repository, challenge)
    return _answer(server, repository, challenge, login or stored(server))


def _of_azure(server: str, repository: str, challenge: str) -> str:
    """By what `az acr login` or `docker login` left, which is good for hours; else by the identity that runs this."""
    login = stored(server)
    if login is not None:
        try:
            return _answer(server, repository, challenge, login)
        except ProvisionError:
            login = None
    return _answer(server, repository, challenge, Login(identity_token=_exchanged(server)))


def _answer(server: str, repository: str, challenge: str, login: Login | None) -> str:
    if challenge.lower().startswith("basic"):
        if login is None or login.identity_token:
            raise ProvisionError(f"registry {server} wants a login: run `docker login {server}`")
        return login.basic
    found = dict(cast("list[tuple[str, str]]", re.findall(r'(\w+)="([^"]*)"', challenge)))
    realm, service = found.get("realm", ""), found.get("service", server)
    if not realm.startswith("https://") and scheme(server) == "https":
        raise ProvisionError(f"registry {server} asks for a login at {realm!r}; allowed: https://…")
    scope = f"repository:{repository}:pull"
    if login is not None and login.identity_token:
        form = {"grant_type": "refresh_token", "service": service, "scope": scope, "client_id": _CLIENT}
        body = _asked(server, "POST", realm, data={**form, "refresh_token": login.identity_token})
    else:
        headers = {"Authorization": login.basic} if login else {}
        body = _asked(server, "GET", realm, params={"service": service, "scope": scope}, headers=headers)
    return f"Bearer {body.get('token') or body.get('access_token')}"


def is_azure(server: str) -> bool:
    """Whether it is an Azure Container Registry, which takes Entra tokens."""
    return server.endswith((".azurecr.io", ".azurecr.cn", ".azurecr.us"))


def _exchanged(server: str) -> str:
    """The registry's own refresh token for an Entra token."""
    entra = arm.token("https://containerregistry.azure.net/.default")
    form = {"grant_type": "access_token", "service": server, "access_token": entra}
    address = f"{scheme(server)}://{server}/oauth2/exchange"
    return str(_asked(server, "POST", address, data=form)["refresh_token"])


def _asked(server: str, method: str, url: str, **options: Any) -> dict[str, Any]:
    answer = httpx.request(method, url, timeout=TIMEOUT, **options)
    if answer.is_error:
        raise ProvisionError(f"registry {server} gave no token: {answer.status_code} {answer.reason_phrase}")
    return cast("dict[str, Any]", answer.json())


# --- Docker's configuration -------------------------------------------------------------------------------------


def stored(server: str) -> Login | None:
    """What `docker login` left for a registry: in `config.json`, or with a credential helper."""
    folder = os.environ.get("DOCKER_CONFIG")
    path = (Path(folder) if folder else Path.home() / ".docker") / "config.json"
    try:
        config = cast("dict[str, Any]", json.loads(path.read_text("utf-8")))
    except (OSError, ValueError):
        return None
    key = _HUB_KEY if server == DOCKER_HUB else server
    helper = config.get("credHelpers", {}).get(key) or config.get("credsStore")
    if helper and (found := _from_helper(str(helper), key)) is not None:
        return found
    entry = config.get("auths", {}).get(key, {})
    if entry.get("identitytoken"):
        return Login(identity_token=str(entry["identitytoken"]))
    if entry.get("auth"):
        user, _, password = base64.b64decode(entry["auth"]).decode().partition(":")
        return Login(user, password)
    return Login(entry["username"], entry.get("password", "")) if entry.get("username") else None


def _from_helper(helper: str, key: str) -> Login | None:
    """Ask `docker-credential-<helper>`. It fails when it knows nothing of the registry."""
    command = shutil.which(f"docker-credential-{helper}")
    if command is None:
        return None
    try:
        done = subprocess.run(
            [command, "get"], input=key, capture_output=True, text=True, check=True, timeout=_HELPER_SECONDS
        )
        found = json.loads(done.stdout)
        user, secret = str(found["Username"]), str(found["Secret"])
    except (subprocess.SubprocessError, OSError, ValueError, KeyError):
        return None
    return Login(identity_token=secret) if user == _TOKEN_USER else Login(user, secret)
