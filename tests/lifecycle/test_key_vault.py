"""A service key in a key vault: read at every run with the deployer's login, rotated there, nowhere in clear."""

import pytest

from mldeploy.provider.azure import arm, vault
from tests.lifecycle.conftest import HAS_PULUMI
from tests.secrets import key_vault

SECRET = "https://kv-team.vault.azure.net/secrets/score-key"
OLD, NEW = "0ld-key-of-the-vault-0123456789", "n3w-key-of-the-vault-0123456789"
VARIABLES = (
    "AZURE_CLIENT_ID",
    "AZURE_TENANT_ID",
    "AZURE_CLIENT_SECRET",
    "IDENTITY_ENDPOINT",
    "IDENTITY_HEADER",
)

# A minute and a half: with `-m reliability`.
ON_THE_CLI = [
    pytest.mark.pulumi,
    pytest.mark.reliability,
    pytest.mark.skipif(not HAS_PULUMI, reason="needs the Pulumi CLI (`pulumi`) on PATH"),
]


@pytest.fixture
def vaults(monkeypatch):
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    with key_vault.serve() as running:
        yield running
    log_in_anew()


def log_in_anew():
    arm.credential.cache_clear()
    vault.failed_logins.clear()


def without_login(project, vaults):
    """The project's environment without an identity; returns what it was."""
    before = project.environment
    project.environment = vaults.environment(login=False)
    log_in_anew()
    return before


@pytest.mark.parametrize("engine", ["embedded", pytest.param("pulumi", marks=ON_THE_CLI)])
def test_a_key_of_the_vault_from_the_first_up_to_its_rotation(make_project, engine, vaults):
    vaults.set("kv-team", "score-key", OLD)
    project = make_project(engine, **vaults.environment())
    log_in_anew()
    project.echo(auth_enabled=True, primary_key={"keyvault": SECRET})

    # Nobody is logged in: the preview prints the whole plan, the update refuses, and both say where it is named.
    login = without_login(project, vaults)
    plan = project.run("preview")
    place = "manifest.yaml:"
    for line in ("New service.", "10 to create", place, "is not known in this preview: no Azure login"):
        assert line in plan.stdout + plan.stderr, plan.stdout + plan.stderr
    refused = project.run("up", "--yes", check=False)
    text = refused.stdout + refused.stderr
    assert refused.returncode != 0
    assert place in text
    assert "services.echo.primary_key: no Azure login for https://vault.azure.net/.default" in text
    assert "Traceback" not in text

    project.environment = login
    log_in_anew()
    printed = [project.run("up", "--yes", "--diff")]
    assert project.post("echo", {"x": [1]}, OLD).status_code == 200
    printed.append(project.run("preview", "--expect-no-changes"))

    vaults.set("kv-team", "score-key", NEW)
    planned = project.change("preview")
    assert planned["update"] >= 1, "the rotation is part of the plan"
    assert planned["replace"] == 0
    printed.append(project.run("up", "--yes", "--diff"))
    assert project.post("echo", {"x": [1]}, NEW).status_code == 200
    assert project.post("echo", {"x": [1]}, OLD).status_code == 401
    printed.append(project.run("preview", "--expect-no-changes"))

    texts = [done.stdout + done.stderr for done in printed] + [
        path.read_text(errors="replace")
        for path in (project.root / ".pulumi-state").rglob("*")
        if path.is_file()
    ]
    assert not any(OLD in text or NEW in text for text in texts)


def test_a_missing_secret_stops_preview_and_update_at_its_line(make_project, vaults):
    project = make_project(**vaults.environment())
    log_in_anew()
    project.echo(auth_enabled=True, primary_key={"keyvault": SECRET})
    for operation in (("preview",), ("up", "--yes")):
        done = project.run(*operation, check=False)
        text = done.stdout + done.stderr
        assert done.returncode != 0, text
        assert (
            "services.echo.primary_key: the key vault https://kv-team.vault.azure.net/ has no secret" in text
        )
        assert "manifest.yaml:" in text
        assert "Traceback" not in text


def test_a_name_alone_needs_a_vault(project):
    project.echo(auth_enabled=True, primary_key={"keyvault": "score-key"})
    done = project.run("preview", check=False)
    assert done.returncode == 2
    assert "services.echo.primary_key" in done.stderr
    assert "this stack has no key vault" in done.stderr


def test_a_name_alone_is_one_in_the_existing_vault(make_project, vaults):
    vaults.set("kv-shared", "score-key", OLD)
    project = make_project(**vaults.environment())
    log_in_anew()
    project.echo(auth_enabled=True, primary_key={"keyvault": "score-key"})
    ident = "/subscriptions/11111111-1111-4111-8111-111111111111/resourceGroups/platform/providers"
    existing = {"existing": f"{ident}/Microsoft.KeyVault/vaults/kv-shared"}
    project.edit_manifest(lambda document: document.update(azure={"key_vault": existing}))
    project.run("preview")
    assert vaults.log[-1] == ("kv-shared", "score-key", "", True)
