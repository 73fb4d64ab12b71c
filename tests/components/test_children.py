"""The children of components: tags reach all that take some, secrets stay secret, each can be adjusted."""

import importlib
import inspect

import pulumi
import pytest

from mldeploy.values.property_value import Secret
from tests.azure import harness, programs

TAGGED = ("foundation", "aci", "aks", "batch")
HUSH = "hush-hush-hush"


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("MLDEPLOY_HOME", str(tmp_path / "home"))


def _takes_tags(type_):
    """Whether the SDK's class of a resource has the argument."""
    provider, module, name = type_.split(":")
    if provider != "azure-native":
        return False
    loaded = importlib.import_module(f"pulumi_azure_native.{module.partition('/')[0]}")
    return "tags" in inspect.signature(getattr(loaded, name)._internal_init).parameters


@pytest.mark.parametrize("program", TAGGED)
def test_tags_reach_every_child_that_takes_some(program, tmp_path):
    recorded = harness.run(programs.PROGRAMS[program], tmp_path)
    assert recorded.error is None
    taggable = [one for one in recorded.resources if _takes_tags(one.type)]
    assert taggable
    bare = [one.name for one in taggable if (one.plain.get("tags") or {}).get("team") != "health"]
    assert not bare


def _in_clear(value):
    """Whether the text is somewhere outside a secret."""
    if isinstance(value, Secret):
        return False
    if isinstance(value, dict):
        return any(map(_in_clear, value.values()))
    if isinstance(value, list):
        return any(map(_in_clear, value))
    return isinstance(value, str) and HUSH in value


SECRETS = {
    "aci": {
        "ssl": {"cert": "which everybody may read", "key": HUSH},
        "app_insights_connection": HUSH,
        "log_analytics_key": HUSH,
        "secret_environment": {"TOKEN": HUSH},
        "primary_key": HUSH,
        "secondary_key": HUSH,
    },
    "image": {"package_index": f"https://u:{HUSH}@index.example.org/simple"},
}


@pytest.mark.parametrize("program", SECRETS)
def test_secrets_stay_secret_also_when_the_caller_gives_them_in_clear(program, tmp_path):
    recorded = harness.run(lambda: programs.PROGRAMS[program](**SECRETS[program]), tmp_path)
    assert recorded.error is None
    found = [one.name for one in recorded.resources if HUSH in str(one.plain)]
    assert found
    assert [one.name for one in recorded.resources if _in_clear(one.inputs)] == []


def test_a_child_is_customized(tmp_path):
    changes = {
        "group": {"priority": "Spot", "tags": {"owner": "me"}, "opts": pulumi.ResourceOptions(protect=True)}
    }
    recorded = harness.run(lambda: programs.aci(customize=changes), tmp_path)
    assert recorded.error is None
    (group,) = recorded.of("ContainerGroup")
    assert group.plain["priority"] == "Spot"
    assert group.plain["tags"] == {"team": "health", "owner": "me"}
    assert group.request.protect
    assert [one.name for one in recorded.resources if one.request.protect] == [group.name]


def test_a_child_of_another_component_is_customized(tmp_path):
    changes = {"identity": {"location": "northeurope"}, "vault": {"tags": {"owner": "me"}}}
    recorded = harness.run(lambda: programs.foundation(customize=changes), tmp_path)
    assert recorded.error is None
    (identity,) = recorded.of("UserAssignedIdentity")
    assert identity.plain["location"] == "northeurope"
    (vault,) = recorded.of(":Vault")
    assert {"team", "owner"} <= set(vault.plain["tags"])


def test_a_child_that_is_not_there(tmp_path):
    recorded = harness.run(lambda: programs.aci(customize={"grp": {"priority": "Spot"}}), tmp_path)
    assert "no child 'grp'; allowed: gate, group, keys, pull-proof, shape" in str(recorded.error)
