"""A key vault for each test, and an identity that may read it."""

import pytest

from mldeploy.provider.azure import arm, vault
from tests.secrets import key_vault


@pytest.fixture
def key_vault_server(monkeypatch):
    with key_vault.serve() as running:
        for name in ("AZURE_CLIENT_ID", "AZURE_TENANT_ID", "AZURE_CLIENT_SECRET", "AZURE_TOKEN_CREDENTIALS"):
            monkeypatch.delenv(name, raising=False)
        for name, value in running.environment().items():
            monkeypatch.setenv(name, value)
        arm.credential.cache_clear()
        vault.failed_logins.clear()
        yield running
        arm.credential.cache_clear()
        vault.failed_logins.clear()
