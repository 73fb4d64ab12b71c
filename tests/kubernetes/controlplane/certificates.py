"""The test cluster's certificates: one authority, a key pair a role."""

from __future__ import annotations

import datetime
import ipaddress
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

_DAY = datetime.timedelta(days=1)


def _name(common: str, organization: str | None = None) -> x509.Name:
    parts = [x509.NameAttribute(NameOID.COMMON_NAME, common)]
    if organization:
        parts.insert(0, x509.NameAttribute(NameOID.ORGANIZATION_NAME, organization))
    return x509.Name(parts)


def _write_key(path: Path, key) -> None:
    encoding, form = serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL
    path.write_bytes(key.private_bytes(encoding, form, serialization.NoEncryption()))
    path.chmod(0o600)


class Authority:
    """Signs for a day; writes PEM files into a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._subject = _name("test-ca")
        builder = self._builder(self._subject, self._key).add_extension(
            x509.BasicConstraints(True, None), True
        )
        (folder / "ca.crt").write_bytes(self._sign(builder))
        _write_key(folder / "ca.key", self._key)

    def _builder(self, subject: x509.Name, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
        now = datetime.datetime.now(datetime.UTC)
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - _DAY)
            .not_valid_after(now + _DAY)
        )

    def _sign(self, builder: x509.CertificateBuilder) -> bytes:
        return builder.sign(self._key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)

    def issue(
        self, role: str, common: str, *, organization: str | None = None, hosts: list[str] | None = None
    ) -> None:
        """Write `<role>.crt` and `<role>.key`."""
        key = ec.generate_private_key(ec.SECP256R1())
        builder = self._builder(_name(common, organization), key)
        usages = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
        builder = builder.add_extension(x509.ExtendedKeyUsage(usages), False)
        if hosts:
            names = [_host(item) for item in dict.fromkeys(hosts)]
            builder = builder.add_extension(x509.SubjectAlternativeName(names), False)
        (self.folder / f"{role}.crt").write_bytes(self._sign(builder))
        _write_key(self.folder / f"{role}.key", key)

    def service_account_key(self) -> None:
        """Write `sa.key`, which signs the service accounts' tokens."""
        _write_key(self.folder / "sa.key", rsa.generate_private_key(65537, 2048))


def _host(text: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(text))
    except ValueError:
        return x509.DNSName(text)
