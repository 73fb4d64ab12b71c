"""A container registry on 127.0.0.1 that answers HEAD for manifests, with the logins that registries ask for."""

from __future__ import annotations

import base64
import hashlib
import json
import threading
import urllib.parse
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


def digest(text: str) -> str:
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"


@dataclass
class Registry:
    """What it has: ``<repository>:<tag>`` and ``<repository>@<digest>`` to a digest."""

    server: str = ""
    auth: str = ""
    """"", ``basic`` or ``token``."""
    manifests: dict[str, str] = field(default_factory=dict)
    user: tuple[str, str] = ("puller", "pull3r-password")
    identity_token: str = "the-identity-token"
    log: list[str] = field(default_factory=list)

    def push(self, repository: str, tag: str, content: str) -> str:
        made = digest(content)
        self.manifests[f"{repository}:{tag}"] = self.manifests[f"{repository}@{made}"] = made
        return made

    def purge(self, repository: str, of: str) -> None:
        """Delete a manifest, and every tag of it."""
        for name in [name for name, found in self.manifests.items() if found == of]:
            del self.manifests[name]


class _Handler(BaseHTTPRequestHandler):
    registry: Registry
    protocol_version = "HTTP/1.1"

    def log_message(self, *args: Any) -> None:
        pass

    def _answer(self, status: int, body: Any = None, **headers: str) -> None:
        data = b"" if body is None or self.command == "HEAD" else json.dumps(body).encode()
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def do_HEAD(self) -> None:
        state, path = self.registry, urllib.parse.urlsplit(self.path).path
        given = self.headers.get("Authorization", "")
        state.log.append(f"HEAD {path} {given.split(' ')[0]}".strip())
        basic = "Basic " + base64.b64encode(":".join(state.user).encode()).decode()
        if state.auth == "basic" and given != basic:
            self._answer(401, WWW_Authenticate='Basic realm="registry"')
        elif state.auth == "token" and given != "Bearer pull-token":
            realm = f"http://{state.server}/oauth2/token"
            self._answer(401, WWW_Authenticate=f'Bearer realm="{realm}",service="{state.server}"')
        else:
            repository, _, reference = path.removeprefix("/v2/").rpartition("/manifests/")
            separator = "@" if reference.startswith("sha256:") else ":"
            found = state.manifests.get(f"{repository}{separator}{reference}")
            self._answer(404) if found is None else self._answer(200, Docker_Content_Digest=found)

    def do_GET(self) -> None:
        """A token for a user name and a password, or for nobody."""
        state, basic = (
            self.registry,
            "Basic " + base64.b64encode(":".join(self.registry.user).encode()).decode(),
        )
        state.log.append("GET token")
        allowed = self.headers.get("Authorization") == basic
        self._answer(200, {"token": "pull-token"}) if allowed else self._answer(401, {})

    def do_POST(self) -> None:
        """A token for an identity token, and on Azure an identity token for an Entra token."""
        state, path = self.registry, urllib.parse.urlsplit(self.path).path
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        form = dict(urllib.parse.parse_qsl(body))
        state.log.append(f"POST {path.rsplit('/', 1)[-1]}")
        if path.endswith("/exchange"):
            right = form.get("access_token") == "the-entra-token"
            self._answer(200, {"refresh_token": state.identity_token}) if right else self._answer(401, {})
            return
        right = form.get("refresh_token") == state.identity_token
        self._answer(200, {"access_token": "pull-token"}) if right else self._answer(401, {})


@contextmanager
def serve() -> Iterator[Registry]:
    """Run it until the block ends."""
    registry = Registry()
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"registry": registry}))
    server.daemon_threads = True
    registry.server = f"127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield registry
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
