"""What the manifest and the policy pack take for a secret in clear, by name and by value, and what they do not."""

from __future__ import annotations

from pathlib import Path

import pytest

from mldeploy.manifest.secret_forms import clear_secret, is_secret_name

ROOT = Path(__file__).resolve().parents[2]
SECRETS = {
    "DB_PASSWORD": "letmein",
    "db-password": "x",
    "dbPassword": "12345",
    "DBPASSWORD": "hunter2",
    "OPENAI_KEY": "abc123",
    "AZURE_OPENAI_API_KEY": "abc123",
    "openAiKey": "abc123",
    "API_KEY_1": "abc123",
    "STORAGE_KEY_PRIMARY": "abc123",
    "HF_TOKEN": "abc",
    "hfToken": "abc",
    "TOKEN": "abcdefg",
    "CLIENT_SECRET": "s",
    "JWT_SECRET_PROD": "s",
    "DB_PASS": "s",
    "SSH_PASSPHRASE": "s",
    "BLOB_SAS": "sv=2024",
    "SQL_CONNECTION_STRING": "Server=x",
    "SQL_CONN_STR": "Server=x",
    "GOOGLE_CREDENTIALS": "{}",
    "SETTING": "postgres://me:pw@db/x",
    "ACCOUNT": "a" * 86 + "==",
    "DATABASE": "Server=db;Uid=me;Pwd=letmein;",
    "ENTRA": "abc8Q~" + "x" * 33,
    "MAPS": "AIza" + "x" * 35,
    "SPARK": "dapi" + "0" * 32,
}
NONE = {
    "PARTITION_KEY": "customer",
    "SORT_KEY": "date",
    "PUBLIC_KEY": "ssh-ed25519AAAA",
    "PAD_TOKEN": "<pad>",
    "EOS_TOKEN": "</s>",
    "MAX_TOKEN": "512",
    "TOKEN": "<unk>",
    "KEY": "4",
    "MONKEY_SPECIES": "capuchin",
    "TOKENIZER": "bert-base",
    "TOKENIZERS_PARALLELISM": "false",
    "SECRETARY": "smith",
    "PASSWORD_FILE": "/run/secrets/db",
    "DB_PASSWORD": "/run/secrets/db",
    "TLS_KEY": "/etc/tls/tls.key",
    "KEY_VAULT": "shop",
    "COMPASS": "north",
    "LEVEL": "debug",
    "MODEL_DIGEST": "a" * 64,
    "ENDPOINT": "https://example.org/score?v=1",
    "GREETING": "say the password please",
    "API_KEY": "",
}


@pytest.mark.parametrize(("name", "value"), SECRETS.items())
def test_secrets(name: str, value: str) -> None:
    assert clear_secret(name, value)


@pytest.mark.parametrize(("name", "value"), NONE.items())
def test_what_is_none(name: str, value: str) -> None:
    assert clear_secret(name, value) is None


def test_a_name_alone() -> None:
    assert is_secret_name("primary_key")
    assert not is_secret_name("keyvault")


def test_the_policy_pack_has_the_same_detector() -> None:
    """The pack stands alone, so it has a copy: `cp mldeploy/manifest/secret_forms.py policy/mldeploy_policies/`."""
    own, pack = ROOT / "mldeploy/manifest/secret_forms.py", ROOT / "policy/mldeploy_policies/secret_forms.py"
    assert own.read_bytes() == pack.read_bytes()
