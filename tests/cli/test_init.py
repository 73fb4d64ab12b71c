"""`mldeploy init` and `eject`: an empty folder with a model becomes a project."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from sklearn.linear_model import Ridge

from mldeploy.cli.app import run
from mldeploy.manifest import ManifestErrors, load


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


def test_nothing_becomes_a_sample(folder, capsys):
    assert run(["init"]) == 0
    assert "mldeploy score line --data golden/line.json" in capsys.readouterr().out
    manifest = load(folder, "local")
    assert manifest.services["line"].golden and (folder / "entry_scripts/line/score.py").is_file()


@pytest.mark.parametrize("target", ["aci", "aks", "kubernetes", "batch"])
def test_a_target_adds_a_stack(folder, capsys, target):
    assert run(["init", "Churn model.pkl", "--target", target, "--location", "westeurope"]) == 0
    stack = {"aci": "dev", "batch": "batch"}.get(target, "prod")
    assert f"mldeploy validate --stack {stack}" in capsys.readouterr().out
    manifest = load(folder, stack)
    assert [one.type for one in manifest.targets.values()] == [target]
    assert manifest.services["churn-model"].target == target
    assert load(folder, "local").services["churn-model"].target == "here"


def test_a_location_that_nobody_gave_is_left_to_decide(folder):
    assert run(["init", "Churn model.pkl", "--target", "aci"]) == 0
    with pytest.raises(ManifestErrors, match=r"manifest\.dev\.yaml:4:.*CHANGE-ME"):
        load(folder, "dev")


def test_files_of_v1_are_handed_over(folder, capsys):
    (folder / "deploy.py").write_text(
        "from azureml.core import Workspace\nfrom azureml.core.model import InferenceConfig, Model\n"
        "from azureml.core.webservice import AciWebservice\nws = Workspace.from_config()\n"
        "model = Model.register(ws, 'Churn model.pkl', 'churn')\n"
        "Model.deploy(ws, 'svc', [model], InferenceConfig('score.py'), AciWebservice.deploy_configuration())\n"
    )
    assert run(["init"]) == 0
    assert "mldeploy import-v1 deploy.py" in capsys.readouterr().out
    assert (folder / "migration-report.md").is_file() and (folder / "manifest.dev.yaml").is_file()


def test_a_registered_model_is_named_after_itself(folder, monkeypatch):
    import mlflow

    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    store = (folder / "mlruns").as_uri()
    client = mlflow.MlflowClient(store, store)
    run_id = client.create_run("0").info.run_id
    client.log_artifact(run_id, str(folder / "Churn model.pkl"), "out")
    client.create_registered_model("churn")
    source = f"{client.get_run(run_id).info.artifact_uri}/out/Churn model.pkl"
    client.create_model_version("churn", source, run_id)
    client.set_registered_model_alias("churn", "champion", "1")
    assert run(["init", "models:/churn@champion"]) == 0
    assert load(folder, "local").models["churn"].source == "models:/churn@champion"


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
