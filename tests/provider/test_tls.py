"""TLS: the certificate reaches the server as private files, the addresses are https, the gate needs none of it."""

from __future__ import annotations

import datetime
import ipaddress
import ssl

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from mldeploy.provider.local.runs import Run
from mldeploy.values.property_value import Secret

from .conftest import Failed


@pytest.fixture(scope="module")
def certificate():
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now)
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), False
        )
        .sign(key, hashes.SHA256())
    )
    encoding = serialization.Encoding.PEM
    private = key.private_bytes(encoding, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return {"cert": made.public_bytes(encoding).decode(), "key": private.decode()}


def test_https(real_stack, certificate):
    secured = Secret(certificate)
    real_stack.model.create(name="m", source="models/m.txt")
    image = {"image": "i", "source_directory": "scripts", "entry_script": "score.py", "runtime": "python"}
    real_stack.image.create(**image)
    real_stack.keys.create()
    real_stack.replica.create(**real_stack.replica_inputs(ssl=secured))
    real_stack.gate.create(**real_stack.gate_inputs())
    real_stack.listener.create(**real_stack.listener_inputs(), ssl_enabled=True)
    uri = real_stack.listener.outputs["scoring_uri"]
    assert uri.startswith("https://127.0.0.1:")
    trusting = ssl.create_default_context(cadata=certificate["cert"])
    headers = {"Authorization": f"Bearer {real_stack.key()}"}
    answer = httpx.post(uri, content=b"abc", headers=headers, verify=trusting, timeout=10)
    assert answer.json()["model"] == "one"
    run = Run("replicas", real_stack.replica.id)
    assert (run.path / "key.pem").stat().st_mode & 0o777 == 0o600
    assert certificate["key"] not in (run.path / "replica.json").read_text()
    assert isinstance(real_stack.replica.outputs["ssl"], Secret)
    changed = {**real_stack.replica_inputs(), "ssl": Secret({**certificate, "cert": "other"})}
    assert list(real_stack.replica.diff(changed).replaces) == ["ssl"]


def test_a_certificate_that_is_none_fails_without_showing_the_key(real_stack):
    broken = Secret({"cert": "no certificate", "key": "planted-private-key"})
    with pytest.raises(Failed) as caught:
        real_stack.up(ssl=broken)
    assert "planted-private-key" not in str(caught.value)
    assert "cert" in str(caught.value).lower()
