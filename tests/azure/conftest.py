"""A fake Azure for each test, and a project to deploy to it."""

import gc

import pytest

from mldeploy.provider.azure import arm, image_presence
from tests.azure import cloud as clouds
from tests.azure.deployment import Deployment


@pytest.fixture
def cloud(tmp_path, monkeypatch):
    folder = tmp_path / "cloud"
    folder.mkdir()
    with clouds.serve(folder) as running:
        for name, value in running.environment().items():
            monkeypatch.setenv(name, value)
        for name in ("AZURE_CLIENT_ID", "AZURE_TENANT_ID", "AZURE_CLIENT_SECRET", "ARM_SUBSCRIPTION_ID"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("MLDEPLOY_HOME", str(tmp_path / "home"))
        arm.credential.cache_clear()
        yield running
        arm.credential.cache_clear()


@pytest.fixture
def deploy(tmp_path, cloud, monkeypatch):
    """Makes deployments; the registry that images are looked for in is the fake one."""
    monkeypatch.setattr(
        image_presence,
        "find_manifest",
        lambda server, repository, tag: None if cloud.manifests == {"gone"} else tag,
    )

    def make(stack="dev", **changes):
        made = Deployment(tmp_path / "deployment", cloud, stack, cloud.environment())
        if changes:
            made.manifest(**changes)
        return made

    return make


@pytest.fixture(autouse=True, scope="module")
def collected():
    """What stopped programs leave is collected here, and not in the middle of some later compilation."""
    yield
    gc.collect()
