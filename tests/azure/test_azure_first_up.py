"""What goes wrong in a first `up` on Azure, and what the user reads then."""

import pytest
import yaml

from tests.azure import az_cli
from tests.azure.standin import rights
from tests.azure.standin.nature import Nature
from tests.azure.test_azure_lifecycle import changed, remove_service

SUBSCRIPTION = "/subscriptions/11111111-1111-4111-8111-111111111111"


def one_service(deploy, **changes):
    """The dev stack with one of its samples: what goes wrong, does so for one service as for two."""
    stack = deploy(**changes)
    path = stack.root / "manifest.yaml"
    shared = yaml.safe_load(path.read_text())
    for part in ("models", "images", "services"):
        del shared[part]["digits"]
    path.write_text(yaml.safe_dump(shared))
    stack.manifest(services={"digits": None})
    return stack


def natured(**scale):
    """An Azure on which these delays are so many times their longest."""
    return pytest.mark.parametrize("nature", [Nature(scale=scale)])


@natured(role=1.0, container=1.0)
def test_a_right_that_comes_late_is_waited_for(deploy, nature):
    stack = one_service(deploy)
    assert stack.run("up").ok
    assert stack.cloud.world.now() >= 600


@natured(role=10.0)
def test_a_right_that_never_comes_is_named(deploy, nature):
    result = one_service(deploy).run("up")
    assert not result.ok
    assert "Storage Blob Data Contributor" in result.error
    assert "20:00" in result.error


@natured(role=1.0)
def test_the_right_to_the_vaults_secrets_is_waited_for(deploy, nature):
    service = {"auth_enabled": True, "primary_key": {"keyvault": "score-key"}}
    stack = one_service(deploy, services={"diabetes": service})
    first = stack.run("up")
    assert not first.ok
    assert "has no secret 'score-key'" in first.error, "the missing right was taken for the end"
    (name,) = [ident.split("/")[-1] for ident in stack.store.ids() if ident.split("/")[-2] == "vaults"]
    stack.cloud.world.secrets[name, "score-key"] = "the-service-key-in-the-vault-01"
    result = stack.run("up")
    assert result.ok, result.error


@pytest.mark.parametrize("way", ["each", "all"])
def test_without_the_right_to_grant_the_commands_are_said(deploy, way):
    stack = one_service(deploy)
    world = stack.cloud.world
    world.people[world.deployer] = {"/subscriptions": rights.CONTRIBUTOR}
    said = []
    # Each `up` stops at what is missing first, and goes on where somebody who may has run its line.
    while not (result := stack.run("up")).ok:
        one, all_of_them = az_cli.lines(result.error)
        assert one not in said, "the line that was run did not help"
        said.append(one)
        az_cli.run(stack.cloud, all_of_them if way == "all" else one)
    deployer = f"--assignee-object-id {world.deployer} --assignee-principal-type ServicePrincipal"
    group = f"{SUBSCRIPTION}/resourceGroups/rg-mldeploy-dev"
    if way == "all":
        assert len(said) == 1
        expected = f'{deployer} --role "Role Based Access Control Administrator" --scope "{group}"'
        assert all_of_them.endswith(expected)
    else:
        assert [
            line
            for line in said
            if f'{deployer} --role "Storage Blob Data Contributor" --scope "{group}/' in line
        ]
        # What somebody else gave is not taken back.
        assert stack.run("destroy").ok
        gone = [one["type"] for one in stack.requests() if one["method"] == "DELETE"]
        assert gone
        assert "Microsoft.Authorization/roleAssignments" not in gone


def test_a_failed_build_shows_its_log_and_is_built_again(deploy):
    stack = one_service(deploy)
    stack.cloud.world.build_fails["mldeploy/diabetes"] = "ERROR: No matching distribution found for sklern"
    failed = stack.run("up")
    assert not failed.ok
    assert "No matching distribution found for sklern" in failed.error
    assert "az acr task logs" in failed.error
    assert stack.run("up").ok, "a failed build is never run again"


def test_a_free_subscription_is_told_the_way_out(deploy):
    stack = one_service(deploy)
    stack.cloud.world.free = True
    result = stack.run("up")
    assert not result.ok
    assert "TasksOperationsNotAllowed" in result.error
    assert "builder: docker" in result.error


def test_a_container_that_crashes_fails_the_up_with_its_own_words(deploy):
    stack = one_service(deploy)
    stack.cloud.world.crashing["diabetes"] = "Traceback\nRuntimeError: the model is for another version\n"
    result = stack.run("up")
    assert not result.ok
    assert "the model is for another version" in result.error
    assert "BackOff" in result.error
    del stack.cloud.world.crashing["diabetes"]
    assert stack.run("up").ok


def _batch(stack, *names):
    """The named services on a batch target of their own."""
    path = stack.root / "manifest.yaml"
    shared = yaml.safe_load(path.read_text())
    for name in names:
        for key in ("auth_enabled", "golden"):
            shared["services"][name].pop(key, None)
    path.write_text(yaml.safe_dump(shared))
    settings = {"target": "nightly", "cpu_cores": None, "memory_gb": None, "auth_enabled": None}
    stack.manifest(
        targets={"nightly": {"type": "batch", "location": "westeurope"}},
        services=dict.fromkeys(names, settings),
    )


def test_two_batch_services_share_no_right(deploy):
    stack = deploy()
    _batch(stack, "diabetes", "digits")
    stack.manifest(targets={"devtest": None})
    first = stack.run("up")
    assert first.ok, first.error
    (endpoint,) = [i for i in stack.store.ids() if "/batchEndpoints/" in i and "diabetes" in i.split("/")[-1]]
    default = stack.store.get(endpoint)["body"]["properties"]["defaults"]

    stack.manifest(services={"diabetes": {"tags": {"team": "health"}}})
    assert changed(stack.run("up"))["diabetes-default"] == {"update"}
    assert stack.store.get(endpoint)["body"]["properties"]["defaults"] == default, "a tag cleared the default"

    remove_service(stack, "digits")
    assert stack.run("up").ok
    (identity,) = [
        i for i in stack.store.ids() if "/userAssignedIdentities/" in i and i.endswith("-diabetes")
    ]
    who = stack.store.get(identity)["outputs"]["principalId"]
    (account,) = [i for i in stack.store.ids() if i.split("/")[-2] == "storageAccounts"]
    for action in ("blob.write", "queue", "table"):
        assert stack.cloud.world.may(who, action, account), f"{action}: Parallel Run Step needs it"


def test_an_endpoints_name_is_not_every_customers(deploy):
    stack = deploy()
    _batch(stack, "diabetes", "digits")
    assert stack.run("preview").ok
    from components import naming

    # What the sample's name would be without the subscription in it.
    kind = "Microsoft.MachineLearningServices/workspaces/batchEndpoints"
    taken = naming.dns_label("diabetes", "dev", naming.short_hash("mldeploy"), limit=32)
    stack.cloud.world.others.add((kind, taken))
    stack.manifest(targets={"devtest": None})
    assert stack.run("up").ok


def test_two_stacks_share_a_workspace_and_an_account(deploy, tmp_path):
    from tests.azure.deployment import Deployment

    base = deploy()
    assert base.run("up").ok
    ids = base.store.ids()
    (workspace,) = [i for i in ids if i.split("/")[-2] == "workspaces" and "MachineLearning" in i]
    (account,) = [i for i in ids if i.split("/")[-2] == "storageAccounts"]
    shared = {"workspace": {"existing": workspace}, "storage": {"existing": account}}
    others = []
    for name in ("one", "two"):
        other = Deployment(tmp_path / name, base.cloud, "dev", base.cloud.environment())
        text = (other.root / "Pulumi.yaml").read_text()
        (other.root / "Pulumi.yaml").write_text(text.replace("name: mldeploy\n", f"name: {name}\n", 1))
        other.manifest(azure=shared)
        result = other.run("up")
        assert result.ok, result.error
        others.append(other)
    one, two = others
    assert one.run("destroy").ok
    assert changed(two.run("refresh")) == {}, "what the other stack had, went with the first"
    assert changed(two.run("up")) in ({}, {"azure-upload": {"update"}})
    assert two.run("destroy").ok
    assert changed(base.run("refresh")) == {}
    assert changed(base.run("up")) == {}
