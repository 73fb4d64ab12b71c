"""For equal inputs, our Azure ML bodies are those of Microsoft's own client, but for differences with a reason."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from mldeploy.values.property_value import reveal
from tests.azure import harness, programs
from tests.azure.standin import arm_types
from tests.azure.standin.tokens import of

ROOT = Path(__file__).resolve().parents[2]
PYTHON = Path(os.environ.get("AZURE_AI_ML_PYTHON", ROOT / ".cache/azure-ai-ml/bin/python"))
pytestmark = [
    pytest.mark.skipif(not PYTHON.exists(), reason=f"no azure-ai-ml at {PYTHON}: `make azure-tools` gets it"),
    pytest.mark.skipif(not arm_types.available(), reason="bodies need the Azure request types"),
]
# What is ours only, or theirs only: (type, path) to why.
OURS = {
    ("Compute", "properties.computeLocation"): "the workspace's own region, said explicitly",
    ("BatchEndpoint", "identity"): "theirs lets the service add a system-assigned one",
    ("EnvironmentVersion", "properties.osType"): "Linux is the default",
    ("EnvironmentVersion", "properties.autoRebuild"): "the SDK's default",
    ("Datastore", "properties.resourceGroup"): "for accounts of another group",
    ("Datastore", "properties.subscriptionId"): "likewise",
    (
        "Datastore",
        "properties.serviceDataAccessAuthIdentity",
    ): "the workspace reads with its own identity: no keys",
}
THEIRS = {
    ("Datastore", "properties.endpoint"): "the public cloud's, which is the default",
    ("Datastore", "properties.protocol"): "https is the default",
}


def _flat(value, path=""):
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _flat(item, f"{path}.{key}" if path else key)
    elif value is not None:
        yield path, value


def _normal(value):
    if isinstance(value, str):
        seconds = re.fullmatch(r"PT(?:(\d+)M)?(?:(\d+)S)?", value)
        if seconds and value != "PT":
            return int(seconds[1] or 0) * 60 + int(seconds[2] or 0)
        return value.lower()
    return value


@pytest.fixture(scope="module")
def ours(tmp_path_factory):
    folder = tmp_path_factory.mktemp("standin")
    patch = pytest.MonkeyPatch()
    patch.setenv("MLDEPLOY_HOME", str(tmp_path_factory.mktemp("home")))
    from tests.azure.standin.store import Store

    seeded = {"type": "seeded", "body": {}, "inputs": {}, "outputs": {}, "state": "Succeeded"}
    store = Store(folder)
    model = f"{programs.WORKSPACE}/models/diabetes/versions/1"
    for ident in (*programs.LINKS, model, f"{programs.WORKSPACE}/datastores/mldeploy"):
        store.put(ident, seeded)
    recorded = {}
    for name in ("batch", "model", "foundation"):
        found = harness.run(programs.PROGRAMS[name], folder, preview=False)
        assert found.error is None, found.error
        recorded[name] = found
    patch.undo()
    return recorded


def _body(recorded, type_):
    for found in recorded.values():
        for item in found.of(f"machinelearningservices:{type_}"):
            return reveal(of(item.type).body(item.inputs))
    raise AssertionError(f"no {type_} was registered")


@pytest.fixture(scope="module")
def theirs(ours):
    deployment = _body(ours, "BatchDeployment")["properties"]
    model = _body(ours, "ModelVersion")["properties"]
    given = {
        "identity": programs.IDENTITY,
        "model": deployment["model"]["assetId"],
        "environment": deployment["environmentId"],
        "code": deployment["codeConfiguration"]["codeId"],
        "compute": deployment["compute"],
        "variables": deployment["environmentVariables"],
        "tags": {"team": "health"},
        "uri": model["modelUri"],
        "properties": model["properties"],
        "image": _body(ours, "EnvironmentVersion")["properties"]["image"],
        "account": _body(ours, "Datastore")["properties"]["accountName"],
    }
    done = subprocess.run(
        [str(PYTHON), str(Path(__file__).with_name("second_opinion.py"))],
        input=json.dumps(given),
        capture_output=True,
        text=True,
        timeout=180,
        env={key: value for key, value in os.environ.items() if key != "PYTHONPATH"},
    )
    assert done.returncode == 0, done.stderr
    print(done.stderr, file=sys.stderr)
    return json.loads(done.stdout)


@pytest.mark.parametrize(
    "type_",
    ["Compute", "ModelVersion", "EnvironmentVersion", "BatchEndpoint", "BatchDeployment", "Datastore"],
)
def test_bodies_are_equal(type_, ours, theirs):
    mine = {path: _normal(value) for path, value in _flat(_body(ours, type_)) if value != {}}
    other = {path: _normal(value) for path, value in _flat(theirs[type_])}
    assert mine, f"nothing recorded for {type_}"
    for path in mine.keys() & other.keys():
        assert mine[path] == other[path], path
    allowed = {path for kind, path in OURS if kind == type_}
    assert {p for p in mine.keys() - other.keys() if not any(p.startswith(a) for a in allowed)} - {
        "properties.description"
    } == set()
    assert other.keys() - mine.keys() - {path for kind, path in THEIRS if kind == type_} == set()
