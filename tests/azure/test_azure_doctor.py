"""`mldeploy doctor` with a login: what is missing on Azure is named beforehand, and its commands mend it."""

import pytest

from mldeploy.doctor import examine
from mldeploy.manifest.kinds.aks import AksTarget
from mldeploy.operations import aks
from mldeploy.session import Session
from tests.azure import az_cli, fakes, kube_echo
from tests.azure.standin import rights
from tests.azure.test_azure_lifecycle import changed

COMPUTE, FAMILY = "microsoft.compute", "standarddsv5family"


def problems(stack):
    """What Azure lacks, by what it is about; tools and passphrases of this machine are other tests'."""
    found = examine(Session(stack.root, stack.stack), which=lambda name: None, ask=True)
    mine = [one for one in found if one.what.startswith(("Azure", "provider", "right", "quota", "VM size"))]
    assert any(one.what == "Azure" for one in mine), [one.found for one in found]
    return {one.what: one for one in mine if one.level == "problem"}


@pytest.fixture
def prod(deploy, monkeypatch):
    fakes.clusters(monkeypatch.setattr)
    stack = deploy("prod")
    stack.extra["kubernetes"] = kube_echo.KubeEcho
    return stack


def test_an_owner_lacks_nothing(prod):
    assert problems(prod) == {}


def test_everything_that_is_missing_is_named_and_its_commands_mend_it(prod):
    world = prod.cloud.world
    world.people[world.deployer] = {"/subscriptions": rights.READER}
    world.unregistered |= {"microsoft.containerservice", "microsoft.machinelearningservices"}
    # 3 x 4 for services and 2 x 2 for the system are needed at once, 9 x 4 + 4 at most.
    world.quotas[COMPUTE, FAMILY] = (90, 100)
    found = problems(prod)
    assert set(found) == {
        "provider Microsoft.ContainerService",
        "provider Microsoft.MachineLearningServices",
        "right Contributor",
        "right Role Based Access Control Administrator",
        "quota of targets.prod-cluster",
    }
    assert "10 of 100 vCPUs of standardDSv5Family are free in westeurope, and 16 are needed at once" in (
        found["quota of targets.prod-cluster"].found
    )
    assert not prod.run("up").ok, "the stand-in lets it pass, so nothing was shown"
    for one in found.values():
        az_cli.run(prod.cloud, one.fix)
    assert problems(prod) == {}
    assert world.quotas[COMPUTE, FAMILY] == (90, 130)
    result = prod.run("up")
    assert result.ok, result.error


def test_exactly_the_roles_of_the_table_are_enough(prod):
    """The table "What a pipeline needs" of docs/azure.md: on a resource group of one's own, and nothing else."""
    world = prod.cloud.world
    group = az_cli.group(prod.cloud, "rg-ours")
    prod.manifest(azure={"resource_group": {"existing": group}})
    world.people[world.deployer] = {}
    for role in ("Contributor", "Role Based Access Control Administrator"):
        assert set(problems(prod)) >= {f"right {role}"}
        az_cli.run(prod.cloud, problems(prod)[f"right {role}"].fix)
    # Providers and quotas are the subscription's, and cannot be seen from a group: that is said, and no problem.
    assert problems(prod) == {}
    first = prod.run("up")
    assert first.ok, first.error
    assert changed(prod.run("up")) == {}
    gone = prod.run("destroy")
    assert gone.ok, gone.error
    assert prod.store.get(group) is not None


@pytest.mark.parametrize("missing", ["Contributor", "Role Based Access Control Administrator"])
def test_with_one_role_less_it_is_not(prod, missing):
    world = prod.cloud.world
    group = az_cli.group(prod.cloud, "rg-ours")
    prod.manifest(azure={"resource_group": {"existing": group}})
    roles = {"Contributor": rights.CONTRIBUTOR, "Role Based Access Control Administrator": rights.RBAC_ADMIN}
    (left,) = [role for name, role in roles.items() if name != missing]
    world.people[world.deployer] = {group: left}
    assert f"right {missing}" in problems(prod)
    assert not prod.run("up").ok


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({}, ""),
        ({"ARM_USE_OIDC": "true"}, "AAD_LOGIN_METHOD=workloadidentity"),
        ({"ARM_CLIENT_SECRET": "x"}, "AAD_LOGIN_METHOD=spn"),
        ({"ARM_USE_MSI": "true"}, "AAD_LOGIN_METHOD=msi"),
        ({"ARM_CLIENT_SECRET": "x", "AAD_LOGIN_METHOD": "spn"}, ""),
    ],
)
def test_kubelogin_is_told_who_logs_in(variables, said, monkeypatch):
    for name in ("ARM_USE_OIDC", "ARM_CLIENT_SECRET", "ARM_USE_MSI", "AAD_LOGIN_METHOD"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    (found,) = aks.examine("prod-cluster", AksTarget(type="aks"))
    assert (found.level == "problem") == bool(said)
    assert said in found.fix
