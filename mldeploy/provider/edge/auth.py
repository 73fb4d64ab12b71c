"""Who we are to IoT Hub: a shared access policy of a connection string, or a Microsoft Entra identity.

Source: "Control access to IoT Hub by using shared access signatures" and "... by using Microsoft Entra ID".
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol
from urllib.parse import quote_plus

ENTRA_SCOPE = "https://iothubs.azure.net/.default"
_LIFETIME = 3600.0  # seconds
_RENEW = 300.0  # seconds before the end
_HOST = re.compile(r"[A-Za-z0-9][A-Za-z0-9.-]*(:[0-9]{1,5})?")


class AuthError(ValueError):
    """No credential can be made; the message never holds a secret."""


class HubCredential(Protocol):
    """Makes the value of the `Authorization` header."""

    def header(self) -> str:
        """A value that is valid now."""
        ...

    def renew(self, hub_clock: float | None) -> bool:
        """After a refusal: forget the last value. ``hub_clock`` is the hub's time in seconds since 1970, when
        known.

        Returns:
            Whether another attempt has a chance.
        """
        ...


@dataclass(frozen=True, repr=False)
class ConnectionString:
    """`HostName=…;SharedAccessKeyName=…;SharedAccessKey=…`, taken apart. No repr, so that the key is not
    shown."""

    host: str
    policy: str
    key: bytes

    @classmethod
    def parse(cls, text: str) -> ConnectionString:
        """Raises:
        AuthError: parts are missing or not readable; names them, never their values.
        """
        parts = dict(part.split("=", 1) for part in text.strip().split(";") if "=" in part)
        wanted = ("HostName", "SharedAccessKeyName", "SharedAccessKey")
        if missing := [name for name in wanted if not parts.get(name)]:
            raise AuthError(
                f"the connection string has no {', '.join(missing)}; it has the form "
                "HostName=<hub>.azure-devices.net;SharedAccessKeyName=<policy>;SharedAccessKey=<key>"
            )
        if not _HOST.fullmatch(parts["HostName"]):
            raise AuthError("the connection string's HostName is no host name")
        try:
            key = base64.b64decode(parts["SharedAccessKey"], validate=True)
        except binascii.Error:
            raise AuthError("the connection string's SharedAccessKey is not base64") from None
        return cls(parts["HostName"], parts["SharedAccessKeyName"], key)


class SasCredential:
    """Shared access signatures that the hub accepts even when this machine's clock is wrong.

    The hub compares a signature's end with its own clock. When it refuses one, its `Date` header says how far
    the clocks are apart, and the next signature ends an hour from the hub's own time.
    """

    def __init__(self, connection: ConnectionString, clock: Callable[[], float] = time.time) -> None:
        self._connection = connection
        self._clock = clock
        self._skew = 0.0
        self._value, self._ends = "", 0.0

    def header(self) -> str:
        """The current signature, made anew before it ends."""
        now = self._clock() + self._skew
        if self._ends - now < _RENEW:
            self._ends = now + _LIFETIME
            self._value = signature(self._connection, int(self._ends))
        return self._value

    def renew(self, hub_clock: float | None) -> bool:
        """Follow the hub's clock; useful when it is more than a minute off the one used so far."""
        self._value, self._ends = "", 0.0
        if hub_clock is None:
            return False
        before, self._skew = self._skew, hub_clock - self._clock()
        return abs(self._skew - before) > 60


def signature(connection: ConnectionString, ends: int) -> str:
    """A shared access signature for the whole hub that is valid until ``ends``, in seconds since 1970."""
    resource = quote_plus(connection.host)
    signed = hmac.new(connection.key, f"{resource}\n{ends}".encode(), hashlib.sha256).digest()
    value = quote_plus(base64.b64encode(signed).decode())
    return f"SharedAccessSignature sr={resource}&sig={value}&se={ends}&skn={quote_plus(connection.policy)}"


class EntraCredential:
    """Bearer tokens of whoever runs this: environment variables, workload or managed identity, `az login`."""

    def __init__(self, source: Any = None) -> None:
        self._source = source or _default_entra()
        self._value, self._ends = "", 0.0

    def header(self) -> str:
        """The current token, asked for anew before it ends.

        Raises:
            AuthError: nobody is logged in.
        """
        if self._ends - time.time() < _RENEW:
            try:
                token = self._source.get_token(ENTRA_SCOPE)
            except Exception as error:
                reason = next(iter(str(error).splitlines()), type(error).__name__)
                raise AuthError(
                    f"no Microsoft Entra token for IoT Hub: {reason}; log in with `az login`, "
                    "or give the target a connection_string"
                ) from None
            self._value, self._ends = f"Bearer {token.token}", float(token.expires_on)
        return self._value

    def renew(self, hub_clock: float | None) -> bool:
        """A refused token is not refused less when asked for again."""
        del hub_clock
        self._value, self._ends = "", 0.0
        return False


def _default_entra() -> Any:
    try:
        from azure.identity import DefaultAzureCredential
    except ImportError:
        raise AuthError(
            "without a connection_string, IoT Hub needs a Microsoft Entra login: install the Azure "
            "SDKs (make setup-cloud)"
        ) from None
    return DefaultAzureCredential()


def credential(connection_string: str | None, host: str) -> HubCredential:
    """The credential for the hub ``host``.

    Raises:
        AuthError: the connection string is not readable or is another hub's, or there is no Entra library.
    """
    if not connection_string:
        return EntraCredential()
    connection = ConnectionString.parse(connection_string)
    if connection.host.lower() != host.lower():
        raise AuthError(
            f"the connection string is for the hub {connection.host!r}, the deployment for {host!r}"
        )
    return SasCredential(connection)
