"""Nothing depends on luck: from every step in a data plane, the graph leads to the grant and to the thing it needs."""

import shutil
from pathlib import Path

import pytest
import yaml

from components.compose import compose
from mldeploy.manifest import load
from tests.azure import harness

ROOT = Path(__file__).resolve().parents[2]
# What each step needs before it: other resources by type, grants by role.
NEEDS = {
    "mldeploy:azure:ModelFiles": ("storage:BlobContainer", "Storage Blob Data Contributor"),
    "machinelearningservices:ModelVersion": ("mldeploy:azure:Seen", "machinelearningservices:Datastore"),
    "mldeploy:azure:ImageBuild": ("containerregistry:Registry",),
    "mldeploy:azure:PullProof": (
        "AcrPull",
        "mldeploy:azure:ImageBuild",
        "managedidentity:UserAssignedIdentity",
    ),
    "containerinstance:ContainerGroup": ("mldeploy:azure:PullProof", "mldeploy:azure:ImageBuild"),
    "machinelearningservices:BatchDeployment": (
        "AcrPull",
        "Storage Blob Data Contributor",
        "Storage Queue Data Contributor",
        "Storage Table Data Contributor",
        "mldeploy:azure:ImageBuild",
        "machinelearningservices:ModelVersion",
    ),
    "mldeploy:azure:EndpointDefaults": ("machinelearningservices:BatchDeployment",),
    "mldeploy:azure:GroupGate": ("containerinstance:ContainerGroup",),
    "managedidentity:FederatedIdentityCredential": ("mldeploy:azure:Seen", "containerservice:ManagedCluster"),
    "mldeploy:kubernetes:ClusterAccess": (
        "Azure Kubernetes Service RBAC Cluster Admin",
        "containerservice:AgentPool",
    ),
    "kubernetes:core/v1:Namespace": ("mldeploy:kubernetes:ClusterAccess",),
    "mldeploy:kubernetes:Gate": ("mldeploy:kubernetes:ClusterAccess", "mldeploy:azure:ImageBuild"),
    "mldeploy:kubernetes:Rollout": ("mldeploy:kubernetes:Gate",),
}
STACKS = {
    "dev": {"ModelFiles", "ModelVersion", "ImageBuild", "PullProof", "ContainerGroup", "GroupGate"},
    "night": {"ModelFiles", "ModelVersion", "ImageBuild", "BatchDeployment", "EndpointDefaults"},
    "prod": {"ModelFiles", "ClusterAccess", "FederatedIdentityCredential", "Namespace", "Gate", "Rollout"},
}


def _before(resource, known):
    """Everything that the engine has to have made before it: what it names, its provider, its parents' needs too."""
    found, queue = set(), [resource]
    while queue:
        one = queue.pop()
        request = one.request
        named = {*request.dependencies, request.provider.rsplit("::", 1)[0], one.parent}
        for properties in request.propertyDependencies.values():
            named |= set(properties.urns)
        for urn in named - found:
            if urn in known:
                found.add(urn)
                queue.append(known[urn])
    return [known[urn] for urn in found]


def _is(resource, wanted):
    if wanted[0].isupper():
        return resource.type == "mldeploy:azure:RoleGrant" and resource.plain["role"] == wanted
    return resource.type.endswith(wanted)


def _night(folder):
    """A project with the samples on batch nodes."""
    root = folder / "project"
    for name in ("entry_scripts", "models", "golden"):
        shutil.copytree(ROOT / name, root / name)
    shared = yaml.safe_load((ROOT / "manifest.yaml").read_text())
    for service in shared["services"].values():
        for key in ("auth_enabled", "golden"):
            service.pop(key, None)
        service["target"] = "nightly"
    shared |= {
        "azure": {"location": "westeurope", "builder": "acr"},
        "targets": {"nightly": {"type": "batch"}},
    }
    (root / "manifest.yaml").write_text(yaml.safe_dump(shared))
    return root


@pytest.mark.parametrize("stack", STACKS)
def test_every_step_has_a_path_to_what_it_needs(stack, tmp_path, monkeypatch):
    monkeypatch.setenv("MLDEPLOY_HOME", str(tmp_path / "home"))
    root = _night(tmp_path) if stack == "night" else ROOT
    manifest = load(root, stack)
    monkeypatch.chdir(root)
    recorded = harness.run(lambda: compose(manifest) and None, tmp_path / "cloud", stack=stack, root=root)
    assert recorded.error is None
    known = {item.urn: item for item in recorded.resources}
    checked = set()
    for item in recorded.resources:
        needs = next((needs for type_, needs in NEEDS.items() if item.type.endswith(type_)), ())
        before = _before(item, known)
        for wanted in needs:
            assert any(_is(one, wanted) for one in before), f"{item.name}: no path to {wanted}"
        if needs:
            checked.add(item.type.rsplit(":", 1)[-1])
    assert checked >= STACKS[stack]
