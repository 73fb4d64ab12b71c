"""What our own provider talks to on Azure, on 127.0.0.1 over TLS: tokens, Resource Manager, blobs, registries.

Blobs are kept in memory with Content-MD5 checked; Resource Manager shares the stand-in's folder. A test sets the
environment of :meth:`Cloud.environment`; nothing in the product knows that this is not Azure.
"""

from __future__ import annotations

import base64
import datetime
import hashlib
import ipaddress
import json
import ssl
import threading
import time
import urllib.parse
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tests.azure.standin.store import Store


class Cloud:
    """The server's state. ``fail`` is called with (method, path) and may return a status to answer with."""

    def __init__(self, folder: Path) -> None:
        self.store = Store(folder)
        self.blobs: dict[str, tuple[bytes, str]] = {}
        self.blocks: dict[str, dict[str, bytes]] = {}
        self.uploads: dict[str, bytes] = {}
        self.log: list[tuple[str, str]] = []
        self.fail: Any = lambda method, path: None
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
            "MLDEPLOY_BLOB_ENDPOINT": f"{self.url}/blob",
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
def serve(folder: Path) -> Iterator[Cloud]:
    """Run it until the block ends."""
    cloud = Cloud(folder)

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

    def _answer(self, status: int, body: bytes = b"", **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        if self.command != "HEAD":
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def _json(self, value: Any, status: int = 200) -> None:
        self._answer(status, json.dumps(value).encode(), Content_Type="application/json")

    def _go(self) -> None:
        url = urllib.parse.urlsplit(self.path)
        path, query = (
            urllib.parse.unquote(url.path),
            dict(urllib.parse.parse_qsl(url.query, keep_blank_values=True)),
        )
        body = self._body()
        with self.state.lock:
            self.state.log.append((self.command, path))
            status = self.state.fail(self.command, path)
        if status:
            code = {403: "AuthorizationPermissionMismatch"}.get(status, "ServerBusy")
            self._answer(status, b"", x_ms_error_code=code, Retry_After="0")
        elif path == "/msi/token":
            self._token(query)
        elif path.startswith("/blob/"):
            self._blob(path.removeprefix("/blob/"), query, body)
        elif path.startswith("/upload/"):
            self.state.uploads[path] = body
            self._answer(201)
        elif path.startswith("/subscriptions/"):
            self._arm(path, body)
        else:
            self._answer(404)

    do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = _go

    def _token(self, query: dict[str, str]) -> None:
        def part(value: Any) -> str:
            return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()

        expires = int(time.time()) + 3600
        claims = {
            "aud": query.get("resource", ""),
            "iss": "https://sts.windows.net/tenant/",
            "exp": expires,
            "nbf": expires - 7200,
            "iat": expires - 7200,
        }
        token = f"{part({'alg': 'none'})}.{part(claims)}.c2ln"
        self._json({"access_token": token, "expires_on": str(expires), "token_type": "Bearer", **query})

    # --- Resource Manager -----------------------------------------------------------------------------------

    def _arm(self, path: str, body: bytes) -> None:
        store = self.state.store
        if path.endswith("/listBuildSourceUploadUrl"):
            name = f"{len(self.state.uploads):04d}.tar.gz"
            self._json(
                {"uploadUrl": f"{self.state.url}/upload/{name}?sig=secret", "relativePath": f"source/{name}"}
            )
            return
        with store.locked():
            document = store.get(path)
            if document is None:
                self._json({"error": {"code": "ResourceNotFound", "message": f"{path} was not found"}}, 404)
                return
            shown = {"id": path, "name": path.rsplit("/", 1)[-1], **document["body"]}
            if self.command == "PUT":
                wanted = json.loads(body)
                name = wanted["properties"].get("defaults", {}).get("deploymentName")
                if name and store.get(f"{path}/deployments/{name}") is None:
                    self._json(
                        {"error": {"code": "DeploymentNotFound", "message": f"no deployment {name}"}}, 400
                    )
                    return
                document["body"]["properties"]["defaults"] = {"deploymentName": name}
                store.put(path, {key: value for key, value in document.items() if key != "id"})
                store.record({"method": "PUT", "type": "own", "url": path, "body": wanted, "status": 200})
                shown |= wanted
        self._json(shown)

    # --- blobs ----------------------------------------------------------------------------------------------

    def _blob(self, path: str, query: dict[str, str], body: bytes) -> None:
        state = self.state
        if not self.headers.get("Authorization", "").startswith("Bearer "):
            self._answer(401, x_ms_error_code="NoAuthenticationInformation")
        elif query.get("comp") == "list":
            self._list(path, query)
        elif self.command == "PUT" and not self._intact(body, required=query.get("comp") == "block"):
            self._answer(400, x_ms_error_code="Md5Mismatch")
        elif query.get("comp") == "block":
            with state.lock:
                state.blocks.setdefault(path, {})[query["blockid"]] = body
            self._answer(201)
        elif query.get("comp") == "blocklist":
            self._block_list(path, body)
        elif self.command == "PUT":
            with state.lock:
                taken = path in state.blobs and self.headers.get("If-None-Match") == "*"
                if not taken:
                    state.blobs[path] = (body, self.headers.get("x-ms-blob-content-md5", ""))
            self._answer(409 if taken else 201, **({"x_ms_error_code": "BlobAlreadyExists"} if taken else {}))
        elif path not in state.blobs:
            self._answer(404, x_ms_error_code="BlobNotFound")
        elif self.command == "DELETE":
            del state.blobs[path]
            self._answer(202)
        else:
            data, checksum = state.blobs[path]
            self._answer(
                200, data, **({"Content_MD5": checksum} if checksum else {}), x_ms_blob_type="BlockBlob",
                Last_Modified="Mon, 01 Jan 2024 00:00:00 GMT", ETag='"1"',
                **({"Content_Length": str(len(data))} if self.command == "HEAD" else {}),
            )  # fmt: skip

    def _intact(self, body: bytes, *, required: bool) -> bool:
        given = self.headers.get("Content-MD5")
        if given is None:
            return not required
        return base64.b64encode(hashlib.md5(body).digest()).decode() == given

    def _block_list(self, path: str, body: bytes) -> None:
        state = self.state
        if self.command == "GET":
            blocks = "".join(
                f"<Block><Name>{name}</Name><Size>{len(data)}</Size></Block>"
                for name, data in state.blocks.get(path, {}).items()
            )
            text = f"<BlockList><CommittedBlocks/><UncommittedBlocks>{blocks}</UncommittedBlocks></BlockList>"
            found = path in state.blocks or path in state.blobs
            headers = {} if found else {"x_ms_error_code": "BlobNotFound"}
            self._answer(
                200 if found else 404,
                text.encode() if found else b"",
                Content_Type="application/xml",
                **headers,
            )
            return
        names = [part.split("</")[0] for part in body.decode().split("<Latest>")[1:]]
        with state.lock:
            staged = state.blocks.pop(path, {})
            state.blobs[path] = (
                b"".join(staged[name] for name in names), self.headers.get("x-ms-blob-content-md5", ""),
            )  # fmt: skip
        self._answer(201)

    def _list(self, container: str, query: dict[str, str]) -> None:
        prefix = f"{container.rstrip('/')}/"
        rows = "".join(
            f"<Blob><Name>{escape(name.removeprefix(prefix))}</Name><Properties><Content-Length>{len(data)}"
            f"</Content-Length><BlobType>BlockBlob</BlobType></Properties></Blob>"
            for name, (data, _) in sorted(self.state.blobs.items())
            if name.startswith(prefix + query.get("prefix", ""))
        )
        text = f'<?xml version="1.0"?><EnumerationResults><Blobs>{rows}</Blobs><NextMarker/></EnumerationResults>'
        self._answer(200, text.encode(), Content_Type="application/xml")
