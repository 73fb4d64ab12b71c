"""The components as a package: made for programs in any language, as the same resources that a Python program makes."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from components.package import annotations
from components.package.catalog import component, tokens
from mldeploy.engine import Engine, Options
from mldeploy.provider.framework.servicer import Provider

ROOT = Path(__file__).parents[2]
MANIFEST = (
    "version: 1\nmodels:\n  m: {source: model.txt}\ntargets:\n  here: {type: local, runtime: process}\n"
)
REMOTE = """
import pulumi

class Remote(pulumi.ComponentResource):
    def __init__(self, type_, name, outputs, **inputs):
        super().__init__(type_, name, {**dict.fromkeys(outputs), **inputs}, None, True)

whole = Remote("mldeploy:index:Manifest", "all", ["models"], file="manifest.yaml")
one = Remote("mldeploy:model:RegisteredModel", "one", ["version"], source="model.txt", tags={"team": "a"})
pulumi.export("models", whole.models)
pulumi.export("version", one.version)
"""
LOCAL = """
import pulumi
from components.models.registered_model import RegisteredModel, RegisteredModelArgs
from components.stack import Manifest, ManifestArgs

whole = Manifest("all", ManifestArgs(file="manifest.yaml"))
one = RegisteredModel("one", RegisteredModelArgs(source="model.txt", tags={"team": "a"}))
pulumi.export("models", whole.models)
pulumi.export("version", one.version)
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MLDEPLOY_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("PULUMI_HOME", str(tmp_path / "pulumi-home"))
    monkeypatch.setenv("PULUMI_CONFIG_PASSPHRASE", "package")
    monkeypatch.delenv("PULUMI_CONFIG_PASSPHRASE_FILE", raising=False)
    monkeypatch.delenv("PULUMI_BACKEND_URL", raising=False)
    folder = tmp_path / "project"
    folder.mkdir()
    plugins = f"plugins:\n  providers:\n    - name: mldeploy\n      path: {ROOT}/mldeploy/provider/bin\n"
    (folder / "Pulumi.yaml").write_text(f"name: package\nruntime: python\n{plugins}")
    (folder / "manifest.yaml").write_text(MANIFEST)
    (folder / "model.txt").write_text("weights")
    return folder


def run(project: Path, program: str, command: str, options: Options | None = None):
    events: list[dict] = []
    (project / "__main__.py").write_text(program)
    engine = Engine(project, "dev", passphrase="package", sink=events.append)
    result = getattr(engine, command)(options)
    urns = {event["resourcePreEvent"]["metadata"]["urn"] for event in events if "resourcePreEvent" in event}
    return result, urns


def test_the_same_resources_as_a_python_program_makes(project: Path):
    made, urns = run(project, REMOTE, "up")
    assert made.ok, made.error
    assert made.changes == {"create": 6}
    assert made.outputs["models"] == {"m": made.outputs["version"]}
    below = "mldeploy:index:Manifest$mldeploy:model:RegisteredModel"
    assert f"urn:pulumi:dev::package::{below}$mldeploy:model:StoredModel::m-files" in urns
    again, urns_of_python = run(project, LOCAL, "preview", Options(expect_no_changes=True))
    assert again.ok, again.error
    assert urns_of_python == urns
    gone, _ = run(project, LOCAL, "destroy")
    assert gone.changes == {"delete": 6}


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ('"mldeploy:index:Manifest", "x", [], file="other/manifest.yaml"', "lies in the program's folder"),
        ('"mldeploy:model:RegisteredModel", "x", []', "source: it has to be given"),
        ('"mldeploy:model:RegisteredModel", "x", [], source="model.txt", tag="a"', "no tag; allowed: .*tags"),
        ('"mldeploy:model:Nothing", "x", []', "no component 'mldeploy:model:Nothing'"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(project: Path, inputs: str, message: str):
    program = REMOTE.partition("whole =")[0] + f"Remote({inputs})\n"
    result, _ = run(project, program, "preview")
    assert not result.ok
    assert re.search(message, result.error)
    assert "Traceback" not in result.error
    assert 'File "' not in result.error


def test_faults_of_the_manifest_are_said(project: Path):
    (project / "manifest.yaml").write_text(MANIFEST.replace("model.txt", "missing.txt"))
    result, _ = run(project, REMOTE, "preview")
    assert "manifest.yaml:3" in result.error


def test_the_schema_has_every_component_with_what_it_takes(project: Path):
    schema = json.loads(Provider(project).GetSchema(None).schema)
    assert set(tokens()) <= set(schema["resources"])
    for token in tokens():
        found, args = schema["resources"][token], annotations.arguments(component(token))
        assert found["isComponent"]
        assert set(found["inputProperties"]) == {annotations.camel(name) for name in annotations.given(args)}
        assert all(one["description"] for one in found["inputProperties"].values()), token
        assert set(found["properties"]) == {annotations.camel(n) for n in component(token).output_names()}
        assert set(found["requiredInputs"]) <= set(found["inputProperties"])
    text = json.dumps(schema)
    named = set(re.findall(r'"#/types/([^"]+)"', text))
    assert named <= set(schema["types"])


@pytest.mark.pulumi
def test_the_cli_makes_the_same(project: Path):
    if shutil.which("pulumi") is None:
        pytest.skip("the Pulumi CLI is not on PATH")
    import os

    (project / "__main__.py").write_text(REMOTE)
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "PULUMI_BACKEND_URL": f"file://{project}/.pulumi-state"}
    (project / ".pulumi-state").mkdir()
    for command in (["stack", "init", "dev"], ["up", "--yes", "--skip-preview", "--stack", "dev"]):
        done = subprocess.run(
            ["pulumi", *command], cwd=project, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
    for program in (REMOTE, LOCAL):
        result, _ = run(project, program, "preview", Options(expect_no_changes=True))
        assert result.ok, result.error
