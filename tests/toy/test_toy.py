"""A new type of target is its own files and one registration: everything else asks the registry."""

import json
import shutil
from pathlib import Path

import pytest
import yaml

from mldeploy import targets
from mldeploy.doctor import examine
from mldeploy.engine import Engine
from mldeploy.engine.base.options import Options
from mldeploy.manifest import ManifestErrors, load, schema
from mldeploy.operations import find_service, stack_status
from mldeploy.session import Session
from scripts.pages import manifest as pages
from tests.toy import TOY
from tests.toy.provider import Toys

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True)
def toy():
    with targets.registered(TOY):
        yield


@pytest.fixture
def project(tmp_path, monkeypatch):
    shutil.copy(ROOT / "__main__.py", tmp_path)
    settings = yaml.safe_load((ROOT / "Pulumi.yaml").read_text())
    settings["plugins"]["providers"][0]["path"] = str(ROOT / "mldeploy/provider/bin")
    settings["runtime"] = {"name": "python", "options": {"virtualenv": str(ROOT / ".venv")}}
    (tmp_path / "Pulumi.yaml").write_text(yaml.safe_dump(settings))
    (tmp_path / "Pulumi.local.yaml").write_text("config: {}\n")
    (tmp_path / "m.json").write_text("{}")
    (tmp_path / "src").mkdir()
    (tmp_path / "src/score.py").write_text("def init(): pass\ndef run(x): return x\n")
    monkeypatch.setenv("MLDEPLOY_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("PULUMI_CONFIG_PASSPHRASE", "test")
    monkeypatch.delenv("PULUMI_BACKEND_URL", raising=False)
    return tmp_path


def write(project, **service):
    document = {
        "version": 1,
        "models": {"m": {"source": "m.json"}},
        "images": {"i": {"models": ["m"], "source_directory": "src", "entry_script": "score.py"}},
        "targets": {"box": {"type": "toy", "blocks": 5}},
        "services": {"play": {"image": "i", "target": "box", **service}},
    }
    (project / "manifest.yaml").write_text(yaml.safe_dump(document))
    return Session(project, "local")


def test_validates(project):
    write(project, scoring_timeout_ms=5)
    assert load(project, "local").targets["box"].type == "toy"


@pytest.mark.parametrize(
    ("service", "said"),
    [
        ({"port": 80}, "services.play.port: does not apply to \"box\", which is of type toy; it is for local, edge"),
        ({"cpu_cores": 2}, "services.play.cpu_cores: 2 is too many for a toy; allowed: 1"),
    ],
)  # fmt: skip
def test_refuses(project, service, said):
    write(project, **service)
    with pytest.raises(ManifestErrors, match=r"manifest\.yaml:[0-9]+") as caught:
        load(project, "local")
    assert said in str(caught.value)


def test_deploys_and_shows(project):
    session = write(project)
    engine = Engine(
        project,
        "local",
        backend_url=session.backend_url,
        passphrase="test",
        providers={"toys": Toys},
    )
    previewed = engine.preview(Options())
    assert previewed.ok, previewed.error
    done = engine.up(Options())
    assert done.ok, done.error
    assert done.outputs["services"]["play"]["scoring_uri"] == "toy://box/score"
    (row,) = stack_status(session)
    assert (row.service, row.target, row.state, row.detail) == ("play", "box", "healthy", "5 blocks")
    assert find_service(session, "play").score(b"1", "application/json", 1).body == b"1"
    assert engine.destroy(Options()).ok


def test_doctor(project):
    found = {one.what: one for one in examine(write(project), {"PATH": ""}, lambda name: None)}
    assert found["targets.box"].found == "5 blocks in the box"
    assert (found["toybox"].level, found["toybox"].fix) == ("problem", "buy one")


def test_schema_and_reference():
    made = schema()
    assert {"const": "toy"} in made["$defs"]["ToyTarget"]["properties"]["type"]["anyOf"]
    assert "toy" in made["$defs"]["Target"]["properties"]["type"]["enum"]
    timeout = made["$defs"]["Service"]["properties"]["scoring_timeout_ms"]["description"]
    assert timeout.endswith("For local, aci, aks, kubernetes, edge, toy.")
    assert "`type: toy`" in pages.page()
    json.dumps(made)


@pytest.mark.parametrize("one", targets.all_types(), ids=lambda one: one.name)
def test_every_type_has_all_its_parts(one):
    from importlib import import_module

    from mldeploy.manifest.kinds import kind

    own = kind(one.name)
    assert own.model.__doc__
    graph, operations = import_module(one.graph), import_module(one.operations)
    assert callable(graph.deploy)
    assert callable(graph.register_model)
    assert callable(operations.handles)
    assert (ROOT / one.page).is_file()
    for part in (one.kind, one.operations):
        assert part.rpartition(".")[2] == one.name
    assert one.graph == f"components.targets.{one.name}.graph"
