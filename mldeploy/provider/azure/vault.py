"""Secrets of Azure Key Vault, read with the login of whoever runs `up`.

One GET of the data plane; azure-native cannot do it, because Resource Manager never shows a secret's value. Sources:
"Authentication, requests and responses" (the 401 challenge) and "Get Secret" of the Key Vault REST API, 7.4.
"""

from __future__ import annotations

import base64
import binascii
import ipaddress
import os
import re
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, cast
from urllib.parse import urlsplit

import httpx

from mldeploy.provider.azure import arm
from mldeploy.provider.azure.http import reason, send
from mldeploy.provider.framework import waiting
from mldeploy.provider.framework.declare import Declaration, In, Opt, Out, field, output
from mldeploy.provider.framework.resource import CancelledError, Context, Function, ProvisionError
from mldeploy.values.property_value import Secret

ROLE: Final = "Key Vault Secrets User"
ENDPOINT_VARIABLE: Final = "MLDEPLOY_KEYVAULT_ENDPOINT"
_API: Final = "7.4"
_UNAUTHORIZED, _FORBIDDEN, _NOT_FOUND = 401, 403, 404
_PKCS12: Final = "application/x-pkcs12"
# How long a failed login is remembered: the credential chain takes seconds to fail, and a stack has many secrets.
_FAILURE_KEPT: Final = 30.0


class VaultError(ProvisionError):
    """A secret cannot be read.

    ``certain`` is whether nobody could read it: it is missing or disabled, or there is no such vault. Otherwise it
    is about who asks, and from where. ``passing`` is a right that is missing: one that was just granted comes.
    """

    def __init__(self, message: str, *, certain: bool, passing: bool = False) -> None:
        super().__init__(message)
        self.certain, self.passing = certain, passing


@dataclass(frozen=True, repr=False)
class VaultSecret:
    """A version of a secret. No repr, so that the value is not shown."""

    value: str
    version: str


class VaultSecretFields(Declaration, token="mldeploy:azure:getVaultSecret"):
    """A secret of Azure Key Vault, read with the login of whoever runs this."""

    vault: In[str] = field("The vault's address, https://…/.")
    name: In[str] = field("The secret's name.")
    version: Opt[str] = field("A version. Default: the current one.", default=None)
    granted: Opt[bool] = field(
        "Whether the right to read it was just granted, and is waited for.", default=None
    )


class VaultSecretAnswer(Declaration):
    """The secret, or why there is none."""

    value: Out[str] = output("The value; absent when there is a problem.", secret=True)
    version: Out[str] = output("The version that was read.")
    problem: Out[str] = output("Why it cannot be read.")
    certain: Out[bool] = output("Whether the problem is not about who asks.")


class GetVaultSecret(Function[VaultSecretFields]):
    """The function behind `{keyvault: …}`. A problem is part of the answer, because a preview goes on without the
    value where an update cannot."""

    answer = VaultSecretAnswer

    def call(self, ctx: Context, args: VaultSecretFields) -> dict[str, Any]:
        """Read it."""
        try:
            found = (
                _patient(ctx, args) if args.granted else read(ctx, args.vault, args.name, args.version or "")
            )
        except VaultError as error:
            return {"problem": str(error), "certain": error.certain}
        return {"value": Secret(found.value), "version": found.version}


def _patient(ctx: Context, args: VaultSecretFields) -> VaultSecret:
    """Read it as soon as the right to works.

    Raises:
        VaultError: as :func:`read`; a missing right after twenty minutes only.
    """

    def attempt() -> VaultSecret:
        try:
            return read(ctx, args.vault, args.name, args.version or "")
        except VaultError as error:
            if error.passing:
                raise waiting.NotYetError(str(error)) from None
            raise

    what = f"the right to read secrets of {args.vault}"
    advice = f"look at the role {ROLE!r} on the vault"
    try:
        return waiting.patiently(ctx, attempt, what=what, limit=waiting.ROLE_SECONDS, advice=advice)
    except VaultError:
        raise
    except CancelledError:
        raise
    except ProvisionError as error:
        raise VaultError(str(error), certain=False) from None


def read(ctx: Context, vault: str, name: str, version: str = "") -> VaultSecret:
    """A secret's value. A certificate's PKCS #12 file comes as PEM: the key, then the chain.

    Args:
        ctx: for cancellation.
        vault: the vault's address, ``https://<name>.vault.azure.net/``.
        name: the secret's name.
        version: 32 hexadecimal digits, or empty for the current one.

    Raises:
        VaultError: there is no such vault or secret, or it is not for us; names what is needed.
    """
    place = f"{_address(vault)}/secrets/{name}" + (f"/{version}" if version else "")
    headers: dict[str, str] = {}
    try:
        answer = send(ctx, "GET", f"{place}?api-version={_API}")
        if answer.status_code == _UNAUTHORIZED:
            headers["Authorization"] = f"Bearer {_token(vault, answer)}"
            answer = send(ctx, "GET", f"{place}?api-version={_API}", headers=headers)
    except httpx.HTTPError as error:
        raise _unreachable(vault, error) from None
    if answer.is_error:
        raise _refused(vault, name, version, answer)
    return _secret(vault, name, cast("dict[str, Any]", answer.json()))


def _address(vault: str) -> str:
    """Where the vault is asked: at its own address, or at an emulator's."""
    emulator = os.environ.get(ENDPOINT_VARIABLE)
    return (emulator or vault).replace("{vault}", _vault_name(vault)).rstrip("/")


def _vault_name(vault: str) -> str:
    return (urlsplit(vault).hostname or vault).split(".", 1)[0]


# --- logging in -----------------------------------------------------------------------------------------------


failed_logins: dict[str, tuple[float, str]] = {}
"""By scope: until when, and why, nobody could log in. Asking takes seconds, and a stack has many secrets."""
_failed_lock = threading.Lock()


def _token(vault: str, answer: httpx.Response) -> str:
    """A token as the vault's challenge asks for it, and only if what it asks for is a vault's."""
    found = re.findall(r'(\w+)="([^"]*)"', answer.headers.get("WWW-Authenticate", ""))
    challenge = dict(cast("list[tuple[str, str]]", found))
    resource = challenge.get("resource") or challenge.get("scope", "").removesuffix("/.default")
    host, asked = urlsplit(_address(vault)).hostname or "", urlsplit(resource).hostname or ""
    if not asked or not (host.endswith(f".{asked}") or _is_loopback(host)):
        # A token for something else would be given away.
        raise VaultError(f"{vault} asks for a login to {resource!r}, which is no key vault", certain=True)
    scope = f"{resource.rstrip('/')}/.default"
    tenant = urlsplit(challenge.get("authorization", "")).path.strip("/")
    with _failed_lock:
        until, message = failed_logins.get(scope, (0.0, ""))
        if time.monotonic() < until:
            raise VaultError(message, certain=False)
        try:
            return arm.token(scope, tenant or None)
        except ProvisionError as error:
            failed_logins[scope] = (time.monotonic() + _FAILURE_KEPT, str(error))
            raise VaultError(str(error), certain=False) from None


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


# --- what went wrong ------------------------------------------------------------------------------------------


def _unreachable(vault: str, error: httpx.HTTPError) -> VaultError:
    if "Name or service not known" in str(error):
        return VaultError(
            f"there is no key vault {vault}, or it cannot be reached from here: its host name has no address",
            certain=False,
        )
    return VaultError(f"the key vault {vault} cannot be reached: {error}", certain=False)


def _refused(vault: str, name: str, version: str, answer: httpx.Response) -> VaultError:
    status, why, short = answer.status_code, reason(answer), _vault_name(vault)
    inner = _inner_code(answer)
    if status == _NOT_FOUND:
        lacks = f"has no version {version} of the secret {name!r}" if version else f"has no secret {name!r}"
        set_it = f"az keyvault secret set --vault-name {short} --name {name} --file <file>"
        return VaultError(f"the key vault {vault} {lacks}; set it with `{set_it}`", certain=True)
    if inner == "SecretDisabled":
        return VaultError(f"the secret {name!r} of the key vault {vault} is disabled", certain=True)
    if status == _FORBIDDEN and inner in ("ForbiddenByFirewall", "ForbiddenByConnection"):
        return VaultError(
            f"the firewall of the key vault {vault} lets nobody in from here: {why}", certain=False
        )
    if status == _FORBIDDEN:
        message = (
            f"the login that runs this may not read the secret {name!r} of the key vault {vault}: it needs the role "
            f"{ROLE!r} on the vault (a new assignment takes some minutes to work). {why}"
        )
        return VaultError(message, certain=False, passing=True)
    if status == _UNAUTHORIZED:
        return VaultError(
            f"the key vault {vault} takes no tokens of this login; `az login --tenant` to the vault's. {why}",
            certain=False,
        )
    return VaultError(
        f"the key vault {vault} answered {status} for the secret {name!r}: {why}", certain=False
    )


def _inner_code(answer: httpx.Response) -> str:
    try:
        error = cast("dict[str, Any]", answer.json())["error"]
        return str(error.get("innererror", {}).get("code", ""))
    except (ValueError, KeyError, TypeError, AttributeError):
        return ""


# --- what was found -------------------------------------------------------------------------------------------


def _secret(vault: str, name: str, found: Mapping[str, Any]) -> VaultSecret:
    value, version = str(found.get("value") or ""), str(found.get("id") or "").rsplit("/", 1)[-1]
    if not value:
        raise VaultError(f"the secret {name!r} of the key vault {vault} is empty", certain=True)
    if found.get("contentType") == _PKCS12:
        value = _pem(vault, name, value)
    return VaultSecret(value, version)


def _pem(vault: str, name: str, text: str) -> str:
    """A certificate of the vault: its secret is a PKCS #12 file without a password, in base64."""
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.serialization import pkcs12

    pem = serialization.Encoding.PEM
    try:
        found = pkcs12.load_pkcs12(base64.b64decode(text, validate=True), None)
    except (binascii.Error, ValueError):
        raise VaultError(
            f"the secret {name!r} of the key vault {vault} says that it is a PKCS #12 file, and is none",
            certain=True,
        ) from None
    parts: list[bytes] = []
    if found.key is not None:
        kind, without = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        parts.append(found.key.private_bytes(pem, kind, without))
    chain = [found.cert, *found.additional_certs] if found.cert else list(found.additional_certs)
    parts += [one.certificate.public_bytes(pem) for one in chain]
    return b"".join(parts).decode()
