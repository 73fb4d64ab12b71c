"""Against a real subscription: `pytest -m azure tests/azure/live`. It costs money and takes about half an hour.

Needs the Pulumi CLI with the azure-native plugin, a login (`az login`, or OIDC as in the pipelines) with Contributor
and Role Based Access Control Administrator on the subscription, and these variables:

- `MLDEPLOY_LIVE_LOCATION`: a region, `westeurope`;
- `MLDEPLOY_LIVE_DEPLOYER`: the object id of who is logged in (`az ad signed-in-user show --query id`);
- `MLDEPLOY_LIVE_DEPLOYER_TYPE`: `User` (the default), or `ServicePrincipal` in a pipeline.

On a person's machine: `az login`, `az account set --subscription …`. In GitHub Actions: `azure/login` with OIDC and
`permissions: id-token: write`, then `ARM_USE_OIDC=true`, `ARM_CLIENT_ID`, `ARM_TENANT_ID` and `ARM_SUBSCRIPTION_ID`; no
secret is stored.

Each run has a resource group of its own, `rg-mldeploy-live<random>`, which is always destroyed, also after a failure:
when `destroy` fails even after a refresh, `az` deletes the whole group, and the test says so. What Azure keeps after
that is a soft-deleted key vault and a soft-deleted workspace.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import subprocess
from pathlib import Path

import httpx
import pytest
import yaml

ROOT = Path(__file__).resolve().parents[3]
VARIABLES = ("MLDEPLOY_LIVE_LOCATION", "MLDEPLOY_LIVE_DEPLOYER")
MISSING = [name for name in VARIABLES if not os.environ.get(name)]
pytestmark = [
    pytest.mark.azure,
    pytest.mark.timeout(3600),
    pytest.mark.skipif(
        bool(MISSING),
        reason=f"a real subscription is needed; not set: {', '.join(MISSING)} (see the top of this file)",
    ),
    pytest.mark.skipif(shutil.which("pulumi") is None, reason="the Pulumi CLI is not on PATH"),
    pytest.mark.skipif(shutil.which("az") is None, reason="the Azure CLI, which cleans up, is not on PATH"),
]


@pytest.fixture
def stack(tmp_path):
    """A project with the dev manifest under a stack of its own; destroyed whatever happens."""
    name = f"live{secrets.token_hex(3)}"
    root = tmp_path / "project"
    for item in ("entry_scripts", "models", "golden"):
        shutil.copytree(ROOT / item, root / item)
    for item in ("manifest.yaml", "__main__.py"):
        shutil.copy(ROOT / item, root)
    settings = yaml.safe_load((ROOT / "Pulumi.yaml").read_text())
    settings["plugins"]["providers"][0]["path"] = str(ROOT / "mldeploy/provider/bin")
    settings["runtime"] = {
        "name": "python",
        "options": {"toolchain": "pip", "virtualenv": str(ROOT / ".venv")},
    }
    settings.pop("backend", None)
    (root / "Pulumi.yaml").write_text(yaml.safe_dump(settings))
    (root / f"Pulumi.{name}.yaml").write_text("config: {}\n")
    manifest = yaml.safe_load((ROOT / "manifest.dev.yaml").read_text())
    manifest["azure"] = {
        "builder": "acr",
        "location": os.environ["MLDEPLOY_LIVE_LOCATION"],
        "deployer_principal_id": os.environ["MLDEPLOY_LIVE_DEPLOYER"],
        "deployer_type": os.environ.get("MLDEPLOY_LIVE_DEPLOYER_TYPE", "User"),
    }
    manifest["targets"]["devtest"]["location"] = os.environ["MLDEPLOY_LIVE_LOCATION"]
    (root / f"manifest.{name}.yaml").write_text(yaml.safe_dump(manifest))
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "PULUMI_BACKEND_URL": tmp_path.as_uri(),
        "PULUMI_CONFIG_PASSPHRASE": secrets.token_hex(8),
    }

    def pulumi(*arguments):
        command = ["pulumi", *arguments, "--stack", name, "--non-interactive"]
        done = subprocess.run(
            command, cwd=root, env=environment, capture_output=True, text=True, timeout=2400
        )
        assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
        return done.stdout

    pulumi("stack", "init")
    try:
        yield pulumi
    finally:
        _destroy(pulumi, f"rg-{settings['name']}-{name}")


def _destroy(pulumi, group):
    """By the state; what that leaves, by the group."""
    try:
        pulumi("destroy", "--yes", "--skip-preview")
    except (AssertionError, subprocess.TimeoutExpired):
        try:
            pulumi("destroy", "--refresh", "--yes", "--skip-preview")
        except (AssertionError, subprocess.TimeoutExpired):
            command = ["az", "group", "delete", "--name", group, "--yes", "--no-wait"]
            done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
            raise AssertionError(
                f"destroy failed twice; `{' '.join(command)}` ended with {done.returncode}: {done.stderr}"
            ) from None


def _same(found, expected):
    """Equal, with numbers up to the tolerance of the manifest."""
    if isinstance(expected, dict):
        assert found.keys() == expected.keys()
        for key, value in expected.items():
            _same(found[key], value)
    elif isinstance(expected, list):
        assert len(found) == len(expected)
        for one, other in zip(found, expected, strict=True):
            _same(one, other)
    else:
        assert found == (pytest.approx(expected, rel=1e-6) if isinstance(expected, float) else expected)


def test_dev_scores_and_stays(stack):
    stack("up", "--yes", "--skip-preview")
    outputs = json.loads(stack("stack", "output", "--json", "--show-secrets"))
    service, key = outputs["services"]["diabetes"], outputs["keys"]["diabetes"]["primary"]
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    body = (ROOT / "golden/diabetes.json").read_bytes()
    answer = httpx.post(service["scoring_uri"], content=body, headers=headers, timeout=120)
    assert answer.status_code == 200, answer.text
    expected = json.loads((ROOT / "golden/diabetes.expected.json").read_text())
    _same(answer.json(), expected)
    assert httpx.post(service["scoring_uri"], content=body, timeout=120).status_code == 401
    assert httpx.get(service["swagger_uri"], timeout=60).status_code == 200
    stack("preview", "--expect-no-changes")
    stack("refresh", "--yes", "--skip-preview", "--expect-no-changes")
