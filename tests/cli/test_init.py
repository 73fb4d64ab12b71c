"""`mldeploy init` and `eject`: an empty folder with a model becomes a project."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from sklearn.linear_model import Ridge

from mldeploy.cli.app import run
from mldeploy.manifest import load


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "Churn model.pkl").write_bytes(pickle.dumps(Ridge().fit(np.eye(2), [0, 1])))
    return tmp_path


def test_a_folder_with_a_model_becomes_a_project(folder, capsys):
    assert run(["init", "Churn model.pkl"]) == 0
    said = capsys.readouterr().out
    assert "churn-model: Churn model.pkl is of runtime sklearn; it gets joblib, scikit-learn==" in said
    assert "next: mldeploy up" in said
    assert {path.name for path in folder.iterdir()} == {
        "Churn model.pkl", "Pulumi.yaml", "__main__.py", ".gitignore", "manifest.yaml", "manifest.local.yaml",
        "manifest.v1.schema.json",
    }  # fmt: skip
    manifest = load(folder, "local")
    assert manifest.models["churn-model"].source == "Churn model.pkl"
    assert manifest.services["churn-model"].port == 8890
    before = (folder / "manifest.yaml").read_text()
    assert run(["init", "Churn model.pkl"]) == 2
    assert "nothing is overwritten" in capsys.readouterr().err
    assert (folder / "manifest.yaml").read_text() == before


def test_several_models_have_names_and_ports_of_their_own(folder):
    (folder / "other").mkdir()
    (folder / "other/churn-model.pkl").write_bytes((folder / "Churn model.pkl").read_bytes())
    assert run(["init", "Churn model.pkl", "other/churn-model.pkl"]) == 0
    services = load(folder, "local").services
    assert {name: one.port for name, one in services.items()} == {"churn-model": 8890, "churn-model-2": 8891}


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ("none.pkl", "none.pkl: no such file or folder"),
        ("notes.txt", "notes.txt is no model of a known kind"),
        ("..", "copy it there"),
    ],
)
def test_what_cannot_become_a_project(folder, capsys, argument, message):
    (folder / "notes.txt").write_text("text")
    assert run(["init", argument]) == 2
    assert message in capsys.readouterr().err
    assert not (folder / "manifest.yaml").exists()


def test_eject_gives_the_script_to_go_on_from(folder, capsys):
    run(["init", "Churn model.pkl"])
    capsys.readouterr()
    assert run(["eject", "churn-model"]) == 0
    said = capsys.readouterr().out
    line = said.splitlines()[-1].strip()
    text = (folder / "manifest.yaml").read_text()
    (folder / "manifest.yaml").write_text(text.replace("churn-model: {models: [churn-model]}", line))
    image = load(folder, "local").images["churn-model"]
    assert image.source_directory == "entry_scripts/churn-model"
    assert (folder / "entry_scripts/churn-model/payload.py").is_file()
    assert run(["eject", "churn-model"]) == 2
    assert "has an entry script: entry_scripts/churn-model/score.py" in capsys.readouterr().err
