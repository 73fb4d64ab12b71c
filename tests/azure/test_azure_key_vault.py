"""Secrets in the stack's own vault, on Container Instances: who may read them, and what Azure is sent."""

import pytest

from mldeploy.provider.azure import arm, vault
from tests.azure.test_azure_lifecycle import PIN, changed
from tests.secrets import key_vault

KEY = "the-service-key-in-the-vault-01"
PEM = (
    "-----BEGIN CERTIFICATE-----\nQ0VSVA==\n-----END CERTIFICATE-----\n"
    "-----BEGIN PRIVATE KEY-----\nS0VZ\n-----END PRIVATE KEY-----\n"
)
SERVICE = {
    "primary_key": {"keyvault": "score-key"},
    "ssl": {"cname": "score.example.org", "cert": {"keyvault": "score"}, "key": {"keyvault": "score"}},
}


@pytest.fixture
def vaults(monkeypatch):
    with key_vault.serve() as running:
        monkeypatch.setenv(vault.ENDPOINT_VARIABLE, running.environment()[vault.ENDPOINT_VARIABLE])
        vault.failed_logins.clear()
        yield running
        vault.failed_logins.clear()


def test_secrets_of_the_stacks_own_vault(deploy, vaults):
    stack = deploy(**PIN, services={"diabetes": {"auth_enabled": True, **SERVICE}})
    assert stack.run("preview").ok, "before there is a vault, its secrets are unknown"
    assert vaults.log == []

    first = stack.run("up")
    assert not first.ok
    assert "has no secret 'score" in first.error
    assert "manifest.dev.yaml:" in first.error
    (name,) = {entry[0] for entry in vaults.log}
    assert any(ident.endswith(f"/vaults/{name}") for ident in stack.store.ids())

    vaults.set(name, "score-key", KEY)
    vaults.set(name, "score", PEM, "application/x-pem-file")
    assert stack.run("up").ok
    assert changed(stack.run("up")) == {}
    (grant,) = [
        entry["body"]["properties"]
        for entry in stack.requests()
        if "roleAssignments" in entry["url"] and "/vaults/" in entry["url"]
    ]
    assert grant["principalId"] == PIN["azure"]["deployer_principal_id"]
    assert grant["roleDefinitionId"].endswith("/4633458b-17de-408a-b874-0445c86b69e6")

    state = stack.state_text()
    assert not any(text in state for text in (KEY, "Q0VSVA", "S0VZ"))

    vaults.set(name, "score-key", f"{KEY}-rotated")
    assert "diabetes-group" in changed(stack.run("preview"))
    assert set(changed(stack.run("up"))) == {"diabetes-keys", "diabetes-group", "diabetes-gate"}
    assert changed(stack.run("up")) == {}


def test_a_preview_without_a_login_prints_the_whole_plan(deploy, vaults, monkeypatch):
    """As on a reviewer's machine: the vault exists and answers, nobody is logged in."""
    ident = "/subscriptions/11111111-1111-4111-8111-111111111111/resourceGroups/rg/providers"
    existing = {"key_vault": {"existing": f"{ident}/Microsoft.KeyVault/vaults/kv-shared"}}
    stack = deploy(azure=existing, services={"diabetes": {"auth_enabled": True, **SERVICE}})
    monkeypatch.delenv("IDENTITY_ENDPOINT")
    monkeypatch.setenv("AZURE_TOKEN_CREDENTIALS", "EnvironmentCredential")
    arm.credential.cache_clear()
    plan = stack.run("preview")
    assert plan.ok, plan.error
    assert {"diabetes-group", "diabetes-keys"} <= {step["urn"].split("::")[-1] for step in plan.steps}
    assert not any(with_token for *_, with_token in vaults.log)
