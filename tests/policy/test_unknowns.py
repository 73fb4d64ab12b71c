"""What a first preview cannot know: only what the cloud decides, and it hides nothing else. The samples comply, too."""

from __future__ import annotations

import re
import shutil
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mldeploy.values.property_value import UNKNOWN, reveal
from tests.policy.plans import Plan, planned
from tests.policy.test_manifests import looked_at

ROOT = Path(__file__).resolve().parents[2]
STACKS = ("local", "dev", "prod")
# What is decided later, by who decides it: the type of the resource, and the path of the leaf.
DECIDED = {
    "Azure: names that it completes, ids, addresses": re.compile(
        r"azure-native:\S+ (\S+\.)?("
        r"(resourceGroup|account|container|workspace|registry|vault|resource)(Name)?|name|modelUri|issuer|resourceUri|"
        r"(subscription|tenant|workspaceResource|dataCollectionRule|logAnalyticsWorkspaceResource)I[dD]|"
        r"applicationInsights|containerRegistry|keyVault|storageAccount|userAssignedIdentities\[\]|"
        r"imageRegistryCredentials\[\]\.(identity|server))"
        r"|mldeploy:azure:\S+ (server|account_url|scope|principal_id|identity_id|registry_id|resource_group_id|"
        r"resource_id|group_id|base_uri|revision|born)"
        r"|\S+ (cluster_id|pool|kubeconfig)|kubernetes:core/v1:ServiceAccount \S+/client-id"
    ),
    "the build: the image's digest, and what is named by it": re.compile(
        r"\S+ (\S+\.)?(containers\[\]\.)?image|mldeploy:azure:ImageBuild (arguments.BASE_IMAGE|epoch|tag)"
        r"|kubernetes:\S+ (metadata\.name|spec\.scaleTargetRef\.name|\S+\.mldeploy\.dev/version)"
        r"|kubernetes:\S+ spec\.selector\.mldeploy\.dev/version|mldeploy:kubernetes:\S+ version"
    ),
    "the identity, or where collected data goes, in one variable": re.compile(
        r"azure-native:\S+ containers\[\]\.environmentVariables\[\]\.value"
        r"|kubernetes:\S+ spec\.template\.spec\.containers\[\]\.env\[\]\.value"
    ),
    "keys that are generated": re.compile(
        r"mldeploy:\S+ keys?|kubernetes:core/v1:Secret stringData|azure-native:\S+ volumes\[\]\.secret\.\S+"
    ),
    "processes of this machine": re.compile(r"mldeploy:service:(Gate|Listener) replica"),
}


@pytest.fixture(scope="module", params=STACKS)
def sample(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Plan]:
    root = tmp_path_factory.mktemp("sample")
    project = root / "project"
    project.mkdir()
    for name in ("Pulumi.yaml", "__main__.py", "manifest.yaml", *(f"manifest.{one}.yaml" for one in STACKS)):
        shutil.copy(ROOT / name, project)
    for name in ("models", "entry_scripts", "golden"):
        shutil.copytree(ROOT / name, project / name)
    return request.param, planned(project, root, request.param)


def leaves(value: Any, path: str = "") -> Iterator[tuple[str, bool]]:
    """(path, whether it is known) of every leaf. Unknown values are leaves, whatever they would hold."""
    plain = reveal(value)
    if isinstance(plain, dict) and plain:
        for key, item in plain.items():
            yield from leaves(item, f"{path}.{key}" if path else key)
    elif isinstance(plain, list) and plain:
        for item in plain:
            yield from leaves(item, f"{path}[]")
    else:
        yield path, plain is not UNKNOWN


def test_only_what_the_cloud_decides_is_unknown(sample: tuple[str, Plan], capsys: Any) -> None:
    stack, plan = sample
    known, unknown = 0, Counter[str]()
    for one in plan.recorded.resources:
        if one.request.custom:
            for path, there in leaves(one.inputs):
                known += there
                unknown[f"{one.type} {path}"] += not there
    unknown = +unknown
    share = unknown.total() / (known + unknown.total())
    with capsys.disabled():
        print(f"\n{stack}: {unknown.total()} of {known + unknown.total()} leaves are unknown, {share:.0%}")
    others = [name for name in unknown if not any(one.fullmatch(name) for one in DECIDED.values())]
    assert others == []
    assert share < 0.25


def test_the_samples_comply_with_their_own_pack(sample: tuple[str, Plan]) -> None:
    """At the levels of prod, which the other stacks do not have to keep in full."""
    stack, plan = sample
    found = looked_at(plan)
    if stack == "prod":
        assert found.get("not-evaluated", []) == []
        assert set(found) == {"private-network", "protect-stateful", "tls-enabled"}, "advice, see levels.yaml"
    assert not set(found) & {
        "secrets-not-in-clear",
        "pinned-packages",
        "no-latest",
        "allowed-registries",
        "not-evaluated",
    }
