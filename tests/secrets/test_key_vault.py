"""Reading a secret from a key vault: the login it asks for, what it refuses, what is in it."""

import base64
import datetime
import time

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import pkcs12
from pulumi.runtime.proto import provider_pb2

from components import secrets
from mldeploy.provider.azure import arm, vault
from mldeploy.provider.framework.resource import Context
from mldeploy.provider.framework.servicer import Provider
from mldeploy.values.marshal import decode, encode
from mldeploy.values.property_value import Secret

KV = "https://kv-team.vault.azure.net/"
VALUE = "th3-value-in-the-vault"


@pytest.fixture
def read(key_vault_server, tmp_path):
    def go(name, version="", address=KV):
        return vault.read(Context(root=tmp_path), address, name, version)

    return go


def refused(read, *arguments, **more):
    with pytest.raises(vault.VaultError) as caught:
        read(*arguments, **more)
    assert VALUE not in str(caught.value)
    return str(caught.value), caught.value.certain


def test_the_current_version_after_the_challenge(read, key_vault_server):
    first = key_vault_server.set("kv-team", "score-key", "old")
    second = key_vault_server.set("kv-team", "score-key", VALUE)
    assert (read("score-key").value, read("score-key").version) == (VALUE, second)
    assert (read("score-key", first).value, read("score-key", first).version) == ("old", first)
    # Asked without a token first: the vault says which login it wants.
    assert key_vault_server.log[:2] == [
        ("kv-team", "score-key", "", False),
        ("kv-team", "score-key", "", True),
    ]
    assert key_vault_server.tokens == 1, "the token is asked for once"


def test_a_value_never_shows_itself(read, key_vault_server):
    key_vault_server.set("kv-team", "score-key", VALUE)
    assert VALUE not in repr(read("score-key"))


@pytest.mark.parametrize(
    ("how", "words", "certain"),
    [
        ("rbac", "it needs the role 'Key Vault Secrets User' on the vault", False),
        ("firewall", "the firewall of the key vault", False),
        ("disabled", "'score-key' of the key vault https://kv-team.vault.azure.net/ is disabled", True),
    ],
)
def test_refusals_say_what_to_do(read, key_vault_server, how, words, certain):
    key_vault_server.set("kv-team", "score-key", VALUE)
    key_vault_server.refuse["score-key"] = how
    message, found = refused(read, "score-key")
    assert words in message
    assert found is certain


def test_a_missing_secret_and_a_missing_version(read, key_vault_server):
    message, certain = refused(read, "score-kee")
    assert "has no secret 'score-kee'; set it with `az keyvault secret set --vault-name kv-team" in message
    assert certain
    key_vault_server.set("kv-team", "score-key", VALUE)
    message, certain = refused(read, "score-key", "0" * 32)
    assert f"has no version {'0' * 32} of the secret 'score-key'" in message
    assert certain


def test_an_empty_secret_is_none(read, key_vault_server):
    key_vault_server.set("kv-team", "score-key", "")
    assert "is empty" in refused(read, "score-key")[0]


def test_a_busy_vault_is_asked_again_when_it_says(read, key_vault_server):
    key_vault_server.set("kv-team", "score-key", VALUE)
    key_vault_server.busy = 2
    began = time.monotonic()
    assert read("score-key").value == VALUE
    assert 0.4 <= time.monotonic() - began < 3


def test_a_vault_that_is_not_there(read, monkeypatch):
    monkeypatch.delenv(vault.ENDPOINT_VARIABLE)
    message, certain = refused(read, "x", address="https://no-such-vault.vault.invalid/")
    assert "no-such-vault" in message
    assert not certain, "it may be private, and reached from elsewhere"


def test_no_token_for_anything_but_a_vault(read, key_vault_server, monkeypatch):
    """The challenge names what the token is for: a server must not get one for Resource Manager by asking."""
    key_vault_server.set("kv-team", "score-key", VALUE)
    monkeypatch.setattr(vault, "_is_loopback", lambda host: False)
    message, _ = refused(read, "score-key")
    assert "asks for a login to 'https://vault.azure.net', which is no key vault" in message
    assert key_vault_server.tokens == 0
    assert not any(with_token for *_, with_token in key_vault_server.log)


def test_without_a_login_every_secret_says_so_and_only_the_first_asks(read, key_vault_server, monkeypatch):
    for name in ("IDENTITY_ENDPOINT", "IDENTITY_HEADER"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AZURE_TOKEN_CREDENTIALS", "EnvironmentCredential")
    asked = []
    ask = arm.token
    monkeypatch.setattr(arm, "token", lambda *arguments: (asked.append(arguments), ask(*arguments))[1])
    for name in ("one", "two", "three"):
        message, certain = refused(read, name)
        assert "no Azure login for https://vault.azure.net/.default" in message
        assert "az login" in message
        assert not certain
    assert len(asked) == 1


# --- certificates -----------------------------------------------------------------------------------------------


def a_certificate():
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "score.example.org")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(7)
        .not_valid_before(now)
        .not_valid_after(now + datetime.timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    return key, made


def test_a_certificate_of_the_vault_is_pem(read, key_vault_server):
    key, made = a_certificate()
    file = pkcs12.serialize_key_and_certificates(b"score", key, made, None, serialization.NoEncryption())
    key_vault_server.set("kv-team", "score", base64.b64encode(file).decode(), "application/x-pkcs12")
    text = read("score").value
    assert serialization.load_pem_private_key(text.encode(), None).private_numbers() == key.private_numbers()
    assert x509.load_pem_x509_certificates(text.encode()) == [made]
    # What a service gets: each side without the other.
    cert, private = secrets.blocks(text, key=False), secrets.blocks(text, key=True)
    assert "PRIVATE KEY" not in cert
    assert x509.load_pem_x509_certificates(cert.encode()) == [made]
    assert "CERTIFICATE" not in private
    assert serialization.load_pem_private_key(private.encode(), None)


def test_a_text_with_one_kind_of_block_stays_as_it_is():
    assert secrets.blocks("no pem at all", key=True) == "no pem at all"
    alone = "-----BEGIN CERTIFICATE-----\nMA==\n-----END CERTIFICATE-----\n"
    assert secrets.blocks(alone, key=False) == alone


def test_what_says_it_is_a_certificate_and_is_none(read, key_vault_server):
    key_vault_server.set("kv-team", "score", "bm90aGluZw==", "application/x-pkcs12")
    assert "says that it is a PKCS #12 file, and is none" in refused(read, "score")[0]


# --- the provider's function ------------------------------------------------------------------------------------


def invoke(tmp_path, **args):
    request = provider_pb2.InvokeRequest(tok="mldeploy:azure:getVaultSecret", args=encode(args))
    return Provider(tmp_path).Invoke(request)


def test_the_function_marks_the_value_as_a_secret(key_vault_server, tmp_path):
    key_vault_server.set("kv-team", "score-key", VALUE)
    found = decode(getattr(invoke(tmp_path, vault=KV, name="score-key"), "return"))
    assert isinstance(found["value"], Secret)
    assert found["value"].value == VALUE


def test_the_function_says_a_problem_as_part_of_its_answer(key_vault_server, tmp_path):
    found = decode(getattr(invoke(tmp_path, vault=KV, name="missing"), "return"))
    assert found["certain"] is True
    assert "has no secret 'missing'" in found["problem"]
    assert "value" not in found


def test_the_function_checks_its_arguments(tmp_path):
    (failure,) = invoke(tmp_path, vault=KV).failures
    assert failure.property == "name"
    assert "is required" in failure.reason
