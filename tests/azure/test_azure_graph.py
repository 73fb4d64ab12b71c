"""Nothing depends on luck: from every step in a data plane, the graph leads to the grant and to the thing it needs."""

from pathlib import Path

import pytest

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


@pytest.mark.parametrize("stack", STACKS)
def test_every_step_has_a_path_to_what_it_needs(stack, tmp_path, monkeypatch):
    monkeypatch.setenv("MLDEPLOY_HOME", str(tmp_path / "home"))
    manifest = load(ROOT, stack)
    recorded = harness.run(lambda: compose(manifest) and None, tmp_path / "cloud", stack=stack)
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
