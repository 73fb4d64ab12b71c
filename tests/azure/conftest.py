"""A fake Azure for each test, and a project to deploy to it."""

import gc

import pytest

from mldeploy.provider.azure import arm, image_presence
from mldeploy.provider.azure.registry_login import DOCKER_HUB
from tests.azure import cloud as clouds
from tests.azure import kube_echo
from tests.azure.deployment import DEPLOYER, Deployment

BASE_DIGEST = f"sha256:{'b' * 64}"


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

    def find_manifest(server, repository, reference, login=None):
        if server == DOCKER_HUB:  # the base image
            return BASE_DIGEST
        return None if cloud.manifests == {"gone"} else reference

    monkeypatch.setattr(image_presence, "find_manifest", find_manifest)

    def make(stack="dev", **changes):
        made = Deployment(tmp_path / "deployment", cloud, stack, cloud.environment())
        if changes:
            made.manifest(**changes)
        return made

    return make


@pytest.fixture
def prod(deploy, monkeypatch):
    """The prod stack, whose Kubernetes half is taken at its word."""
    kube_echo.no_cluster(monkeypatch.setattr)
    stack = deploy("prod", azure={"deployer_principal_id": DEPLOYER})
    stack.extra["kubernetes"] = kube_echo.KubeEcho
    return stack


@pytest.fixture(autouse=True, scope="module")
def collected():
    """What stopped programs leave is collected here, and not in the middle of some later compilation."""
    yield
    gc.collect()
