"""The scoring server's settings as a container's environment: one variable a key, `SERVING_<KEY>`."""

from __future__ import annotations

import json
from collections.abc import Container, Mapping
from typing import Any

SECRETS_FOLDER = "/mnt/mldeploy"
KEYS_FILE = f"{SECRETS_FOLDER}/keys/keys.json"
CERT_FILE = f"{SECRETS_FOLDER}/tls/cert.pem"
KEY_FILE = f"{SECRETS_FOLDER}/tls/key.pem"


def environment(
    service: str, settings: Mapping[str, Any], *, auth: bool, tls: bool, port: int
) -> dict[str, str]:
    """Variables for the settings that are given, sorted by name.

    Args:
        service: the service's name.
        settings: by their names in the manifest; None leaves the server's default.
        auth: whether requests need a key, from :data:`KEYS_FILE`.
        tls: whether the server speaks TLS, with :data:`CERT_FILE` and :data:`KEY_FILE`.
        port: the TCP port.
    """
    values: dict[str, Any] = {**settings, "service": service, "port": port, "auth_enabled": auth}
    if auth:
        values["keys_file"] = KEYS_FILE
    if tls:
        values["ssl"] = {"cert_file": CERT_FILE, "key_file": KEY_FILE}
    return {
        f"SERVING_{name.upper()}": text(value) for name, value in sorted(values.items()) if value is not None
    }


def apart(settings: Mapping[str, Any], own: Container[str]) -> dict[str, Any]:
    """The settings for something that has some of them as its own properties: all others are its `server`."""
    others = {key: value for key, value in settings.items() if key not in own}
    found = {key: value for key, value in settings.items() if key in own}
    return {**found, "server": others} if others else found


def text(value: Any) -> str:
    """A setting's value as the server reads it from a variable."""
    return value if isinstance(value, str) else json.dumps(value, sort_keys=True, separators=(",", ":"))
