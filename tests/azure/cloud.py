"""What our own provider talks to on Azure, on 127.0.0.1 over TLS: tokens, Resource Manager, blobs, vaults, containers.

Every door looks at who knocks, by the token's object id, and shares the stand-in's world: its time, its roles and its
resources.
A test sets the environment of :meth:`Cloud.environment`; nothing in the product knows that this is not Azure.
"""

from __future__ import annotations

import base64
import datetime
import ipaddress
import json
import ssl
import threading
import time
import urllib.parse
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tests.azure import cloud_arm, cloud_blobs, cloud_containers, cloud_vaults
from tests.azure.answers import Answer, Ask
from tests.azure.standin.nature import Nature
from tests.azure.standin.outputs import TENANT
from tests.azure.standin.world import World

# Real seconds that a client is told to wait where the world's time passes by itself.
_SOON = "0"


class Cloud:
    """The server's state. ``fail`` is called with (method, path) and may return a status to answer with."""

    def __init__(self, folder: Path, nature: Nature | None = None) -> None:
        self.world = World(folder, nature or Nature())
        self.store = self.world.store
        self.blobs: dict[str, tuple[bytes, str]] = {}
        self.blocks: dict[str, dict[str, bytes]] = {}
        self.uploads: dict[str, bytes] = {}
        self.uploaded_at: dict[str, float] = {}
        self.log: list[tuple[str, str]] = []
        self.fail: Any = lambda method, path: None
        self.serve: Callable[[str, str, bytes], Answer] = lambda group, path, body: Answer(200)
        """What the server in a running container group answers: (group's name, path, body)."""
        self.user = False
        """Whether the deployer is a person; otherwise a service principal."""
        self.lock = threading.Lock()
        self.folder = folder
        self.port = 0

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self.port}"

    def environment(self) -> dict[str, str]:
        """Variables that point every client here."""
        ca = str(self.folder / "ca.pem")
        return {
            "AZURE_RESOURCE_MANAGER_ENDPOINT": self.url,
            "MLDEPLOY_BLOB_ENDPOINT": f"{self.url}/blob/{{account}}",
            "MLDEPLOY_KEYVAULT_ENDPOINT": f"{self.url}/vault/{{vault}}",
            "MLDEPLOY_ACI_ENDPOINT": f"{self.url}/aci/{{host}}",
            "IDENTITY_ENDPOINT": f"{self.url}/msi/token",
            "IDENTITY_HEADER": "test",
            "REQUESTS_CA_BUNDLE": ca,
            "SSL_CERT_FILE": ca,
        }


def _certificate(folder: Path) -> tuple[str, str]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), False
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), True)
        .sign(key, hashes.SHA256())
    )
    cert_file, key_file = folder / "ca.pem", folder / "key.pem"
    cert_file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    key_file.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    return str(cert_file), str(key_file)


@contextmanager
def serve(folder: Path, nature: Nature | None = None) -> Iterator[Cloud]:
    """Run it until the block ends."""
    cloud = Cloud(folder, nature)

    class Handler(_Handler):
        state = cloud

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*_certificate(folder))
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    cloud.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield cloud
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    state: Cloud
    protocol_version = "HTTP/1.1"

    def log_message(self, *args: Any) -> None:
        pass

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding", "").lower() == "chunked":
            parts = []
            while size := int(self.rfile.readline().strip(), 16):
                parts.append(self.rfile.read(size))
                self.rfile.readline()
            self.rfile.readline()
            return b"".join(parts)
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def _write(self, answer: Answer) -> None:
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name.replace("_", "-"), value)
        if self.command != "HEAD":
            self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer.body)

    def _go(self) -> None:
        url = urllib.parse.urlsplit(self.path)
        query = dict(urllib.parse.parse_qsl(url.query, keep_blank_values=True))
        ask = Ask(
            self.command, urllib.parse.unquote(url.path), query, self._body(), dict(self.headers.items())
        )
        with self.state.lock:
            self.state.log.append((ask.method, ask.path))
            status = self.state.fail(ask.method, ask.path)
        if status:
            code = {403: "AuthorizationPermissionMismatch"}.get(status, "ServerBusy")
            self._write(Answer(status, b"", {"x_ms_error_code": code, "Retry_After": _SOON}))
            return
        self._write(self._answer(ask))

    do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = do_PATCH = _go

    def _answer(self, ask: Ask) -> Answer:
        state = self.state
        if ask.path == "/msi/token":
            return _token(state, ask.query)
        for prefix, front in _FRONTS.items():
            if ask.path.startswith(prefix):
                return front(state, ask)
        return Answer(404)


def _upload(state: Cloud, ask: Ask) -> Answer:
    with state.lock:
        state.uploads[ask.path], state.uploaded_at[ask.path] = ask.body, state.world.now()
    return Answer(201)


_FRONTS: dict[str, Callable[[Cloud, Ask], Answer]] = {
    "/blob/": cloud_blobs.answer,
    "/upload/": _upload,
    "/subscriptions": cloud_arm.answer,
    "/runlog/": cloud_arm.build_log,
    "/vault/": cloud_vaults.answer,
    "/aci/": cloud_containers.answer,
}


def _token(state: Cloud, query: dict[str, str]) -> Answer:
    """What the managed identity's endpoint gives; the claims are those that services look at."""

    def part(value: Any) -> str:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()

    expires = int(time.time()) + 3600
    claims = {
        "aud": query.get("resource", ""),
        "iss": f"https://sts.windows.net/{TENANT}/",
        "tid": TENANT,
        "oid": state.world.deployer,
        "idtyp": "user" if state.user else "app",
        "exp": expires,
        "nbf": expires - 7200,
        "iat": expires - 7200,
    }
    token = f"{part({'alg': 'none'})}.{part(claims)}.c2ln"
    found = {"access_token": token, "expires_on": str(expires), "token_type": "Bearer", **query}
    return Answer.json(found)
