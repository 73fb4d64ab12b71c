"""A fake Azure for each test, and a project to deploy to it."""

import gc
import shutil

import pytest

from mldeploy.provider.azure import arm, http
from tests.azure import cloud as clouds
from tests.azure import fakes, kube_echo
from tests.azure.deployment import DEPLOYER, Deployment
from tests.azure.standin.nature import Nature


@pytest.fixture
def nature():
    """How Azure feels today: at once, and never busy. Tests of bad days override it."""
    return Nature()


@pytest.fixture
def cloud(tmp_path, monkeypatch, nature):
    folder = tmp_path / "cloud"
    folder.mkdir()
    with clouds.serve(folder, nature) as running:
        for name, value in running.environment().items():
            monkeypatch.setenv(name, value)
        for name in ("AZURE_CLIENT_ID", "AZURE_TENANT_ID", "AZURE_CLIENT_SECRET", "ARM_SUBSCRIPTION_ID"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("MLDEPLOY_HOME", str(tmp_path / "home"))
        arm.credential.cache_clear()
        http.client.cache_clear()
        fakes.time(monkeypatch.setattr, running.world)
        yield running
        arm.credential.cache_clear()
        http.client.cache_clear()


@pytest.fixture
def deploy(tmp_path, cloud, monkeypatch):
    """Makes deployments; the registry that images are looked for in is the fake one."""
    fakes.registry(monkeypatch.setattr, cloud.folder)

    def make(stack="dev", **changes):
        made = Deployment(tmp_path / "deployment", cloud, stack, cloud.environment())
        if changes:
            made.manifest(**changes)
        return made

    return make


@pytest.fixture(
    params=[
        "embedded",
        pytest.param(
            "cli",
            marks=[
                pytest.mark.pulumi,
                pytest.mark.reliability,  # minutes, because each operation starts four processes
                pytest.mark.skipif(shutil.which("pulumi") is None, reason="the Pulumi CLI is not on PATH"),
                pytest.mark.timeout(900),
            ],
        ),
    ]
)
def engine(request):
    """Both engines, one after the other."""
    return request.param


@pytest.fixture
def prod(deploy, monkeypatch):
    """The prod stack, whose Kubernetes half is taken at its word."""
    fakes.clusters(monkeypatch.setattr)
    stack = deploy("prod", azure={"deployer_principal_id": DEPLOYER})
    stack.extra["kubernetes"] = kube_echo.KubeEcho
    return stack


@pytest.fixture(autouse=True, scope="module")
def collected():
    """What stopped programs leave is collected here, and not in the middle of some later compilation."""
    yield
    gc.collect()
