"""TLS in the process: versions, renewal, bad clients."""

from __future__ import annotations

import datetime
import socket
import ssl
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.serving.replica import TEXT_SCRIPT, Replica


def write_certificate(folder: Path, name: str) -> None:
    """A self-signed certificate for localhost."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.timezone.utc)  # noqa: UP017 (the server's tests also run on 3.10)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=2))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    (folder / "key.pem").write_bytes(
        key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    (folder / "cert.pem").write_bytes(certificate.public_bytes(pem))


@pytest.fixture
def secure(replica: Callable[..., Replica], tmp_path: Path) -> Replica:
    write_certificate(tmp_path, "first")
    files = {"cert_file": str(tmp_path / "cert.pem"), "key_file": str(tmp_path / "key.pem")}
    return replica(TEXT_SCRIPT, ssl=files)


def peer_name(one: Replica) -> str:
    context = ssl.create_default_context(cafile=one.config["ssl"]["cert_file"])
    with (
        socket.create_connection(("localhost", one.port)) as plain,
        context.wrap_socket(plain, server_hostname="localhost") as sock,
    ):
        found = sock.getpeercert()
    assert found
    return str(found["subject"][0][0][1])  # pyright: ignore


def test_keep_alive_over_tls(secure: Replica) -> None:
    client = secure.client()
    for number in range(20):
        assert secure.score({"n": number}, client).json["got"] == {"n": number}
    assert secure.score("x" * 500_000, client).json["got"] == "x" * 500_000
    client.close()


def test_a_renewed_certificate_is_used_without_a_restart(secure: Replica) -> None:
    assert peer_name(secure) == "first"
    client = secure.client()
    assert secure.score({}, client).status == 200
    write_certificate(Path(secure.config["ssl"]["cert_file"]).parent, "second")
    time.sleep(1.2)
    assert peer_name(secure) == "second"
    assert secure.score({}, client).status == 200
    client.close()


def test_half_a_renewal_leaves_the_old_certificate(secure: Replica) -> None:
    folder = Path(secure.config["ssl"]["cert_file"]).parent
    old = (folder / "cert.pem").read_bytes()
    write_certificate(folder, "second")
    new = (folder / "cert.pem").read_bytes()
    (folder / "cert.pem").write_bytes(old)
    time.sleep(1.2)
    assert peer_name(secure) == "first"
    (folder / "cert.pem").write_bytes(new)
    time.sleep(1.2)
    assert peer_name(secure) == "second"


def test_clients_without_tls_or_with_old_versions_are_refused(secure: Replica) -> None:
    assert b"HTTP" not in secure.raw(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", timeout=2)
    old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    old.check_hostname = False
    old.verify_mode = ssl.CERT_NONE
    old.minimum_version = ssl.TLSVersion.TLSv1
    old.maximum_version = ssl.TLSVersion.TLSv1_1
    with (
        socket.create_connection(("localhost", secure.port)) as plain,
        pytest.raises((ssl.SSLError, OSError)),
    ):
        old.wrap_socket(plain, server_hostname="localhost")
    assert secure.score({}).status == 200


def test_a_client_that_never_shakes_hands_stops_nobody(
    replica: Callable[..., Replica], tmp_path: Path
) -> None:
    write_certificate(tmp_path, "first")
    files = {"cert_file": str(tmp_path / "cert.pem"), "key_file": str(tmp_path / "key.pem")}
    one = replica(TEXT_SCRIPT, ssl=files, header_timeout_seconds=0.5)
    silent = [socket.create_connection(("127.0.0.1", one.port)) for _ in range(20)]
    assert one.score({}).status == 200
    for sock in silent:
        sock.settimeout(5)
        assert sock.recv(1) == b""
        sock.close()
