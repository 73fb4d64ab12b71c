"""A Key Vault on 127.0.0.1, as the data plane answers: challenge, versions, refusals in the service's own words.

It is also the managed identity's endpoint that azure-identity gets its tokens from. Answers as documented in
"Authentication, requests and responses" and "Key Vault REST API error codes".
"""

from __future__ import annotations

import json
import secrets
import threading
import time
import urllib.parse
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

TENANT = "44444444-4444-4444-8444-444444444444"
_INNER = {
    "rbac": (403, "ForbiddenByRbac", "Caller is not authorized to perform action on resource."),
    "firewall": (
        403,
        "ForbiddenByFirewall",
        "Client address is not authorized and caller is not a trusted service.",
    ),
    "disabled": (403, "SecretDisabled", "Operation get is not allowed on a disabled secret."),
}


@dataclass
class KeyVault:
    """What is in the vaults, and how they refuse. ``log`` has (vault, secret, version, with a token)."""

    url: str = ""
    versions: dict[tuple[str, str], list[tuple[str, str, str]]] = field(default_factory=dict)
    refuse: dict[str, str] = field(default_factory=dict)
    """Secret to ``rbac``, ``firewall`` or ``disabled``."""
    busy: int = 0
    """How many of the next requests get 429."""
    resource: str = "https://vault.azure.net"
    log: list[tuple[str, str, str, bool]] = field(default_factory=list)
    tokens: int = 0
    lock: Any = field(default_factory=threading.Lock)

    def set(self, vault: str, name: str, value: str, content_type: str = "") -> str:
        """A new version of a secret; returns its name."""
        version = secrets.token_hex(16)
        self.versions.setdefault((vault, name), []).append((version, value, content_type))
        return version

    def environment(self, *, login: bool = True) -> dict[str, str]:
        """Variables that point the provider here; without a login there is no identity to be found."""
        found = {"MLDEPLOY_KEYVAULT_ENDPOINT": f"{self.url}/{{vault}}"}
        if login:
            return {**found, "IDENTITY_ENDPOINT": f"{self.url}/-/token", "IDENTITY_HEADER": "test"}
        return {**found, "AZURE_TOKEN_CREDENTIALS": "EnvironmentCredential"}


class _Handler(BaseHTTPRequestHandler):
    vault: KeyVault
    protocol_version = "HTTP/1.1"

    def log_message(self, *args: Any) -> None:
        pass

    def _json(self, status: int, value: Any, **headers: str) -> None:
        body = json.dumps(value).encode()
        self.send_response(status)
        for name, text in {"Content_Type": "application/json", **headers}.items():
            self.send_header(name.replace("_", "-"), text)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _error(self, status: int, code: str, message: str, inner: str = "", **headers: str) -> None:
        error = {"code": code, "message": message, **({"innererror": {"code": inner}} if inner else {})}
        self._json(status, {"error": error}, **headers)

    def do_GET(self) -> None:
        state, url = self.vault, urllib.parse.urlsplit(self.path)
        query = dict(urllib.parse.parse_qsl(url.query))
        if url.path == "/-/token":
            state.tokens += 1
            expires = str(int(time.time()) + 3600)
            self._json(
                200, {"access_token": "the-token", "expires_on": expires, "token_type": "Bearer", **query}
            )
            return
        vault, kind, name, version = (*url.path.strip("/").split("/"), "")[:4]
        assert kind == "secrets", self.path
        assert query["api-version"] == "7.4", self.path
        with_token = self.headers.get("Authorization", "").startswith("Bearer ")
        with state.lock:
            state.log.append((vault, name, version, with_token))
            busy, state.busy = state.busy > 0, max(0, state.busy - 1)
        if busy:
            self._error(429, "Throttled", "Too many requests.", Retry_After="0.2")
        elif not with_token:
            login = f'Bearer authorization="https://login.microsoftonline.com/{TENANT}", resource="{state.resource}"'
            self._error(
                401, "Unauthorized", "AKV10000: Request is missing a Bearer token.", WWW_Authenticate=login
            )
        elif name in state.refuse:
            status, inner, message = _INNER[state.refuse[name]]
            self._error(status, "Forbidden", message, inner)
        else:
            self._secret(vault, name, version)

    def _secret(self, vault: str, name: str, version: str) -> None:
        found = [v for v in self.vault.versions.get((vault, name), []) if version in ("", v[0])]
        if not found:
            message = f"A secret with (name/id) {name} was not found in this key vault."
            self._error(404, "SecretNotFound", message)
            return
        own, value, content_type = found[-1]
        ident = f"https://{vault}.vault.azure.net/secrets/{name}/{own}"
        more = {"contentType": content_type} if content_type else {}
        self._json(200, {"value": value, "id": ident, "attributes": {"enabled": True}, **more})


@contextmanager
def serve() -> Iterator[KeyVault]:
    """Run it until the block ends."""
    vault = KeyVault()
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"vault": vault}))
    server.daemon_threads = True
    vault.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield vault
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
