"""Where models come from: paths of the project, and the outputs of MLflow runs in a real file store."""

from __future__ import annotations

import builtins
import sqlite3
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace

import pytest

from mldeploy.artifacts import mlflow_store
from mldeploy.artifacts.content import ContentError
from mldeploy.artifacts.mlflow_store import tracking_uri
from mldeploy.artifacts.sources import inside, locate

from .conftest import write


def test_a_path_of_the_project(project):
    assert locate("models/m.txt", project) == project / "models/m.txt"
    assert locate("models", project).is_dir()


def test_a_link_that_leads_out_of_the_project_is_refused(project, tmp_path):
    write(tmp_path, "outside.txt", "x")
    (project / "models" / "link").symlink_to(tmp_path / "outside.txt")
    with pytest.raises(ContentError, match="leads out of the project"):
        inside("models/link", project)
    (project / "models" / "inner").symlink_to("m.txt")
    assert inside("models/inner", project).read_text() == "one"


@pytest.mark.parametrize("source", ["runs:", "runs:/", "runs:/abc", "runs:/abc/"])
def test_a_run_needs_an_id_and_a_path(project, source):
    with pytest.raises(ContentError, match="must be runs:/<run id>/<path"):
        locate(source, project)


def test_without_mlflow_the_message_says_what_to_install(project, monkeypatch):
    plain = builtins.__import__

    def without(name, *args, **kwargs):
        if name == "mlflow":
            raise ImportError(name)
        return plain(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ContentError, match=r"pip install 'mldeploy\[mlflow\]'"):
        locate("runs:/abc/model", project)


class TestRuns:
    """Against the store that `mlflow` itself writes."""

    @pytest.fixture
    def run_id(self, project, tmp_path, monkeypatch):
        mlflow = pytest.importorskip("mlflow", reason="needs mlflow-skinny: install mldeploy[mlflow]")
        monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
        monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
        store = (project / "mlruns").as_uri()
        client = mlflow.MlflowClient(store, store)
        run = client.create_run("0")
        client.log_artifact(run.info.run_id, str(write(tmp_path, "made/model.txt", "from a run")), "outputs")
        return run.info.run_id

    def test_a_file_and_a_folder_of_a_run(self, project, run_id):
        assert locate(f"runs:/{run_id}/outputs/model.txt", project).read_text() == "from a run"
        assert locate(f"runs:/{run_id}/outputs", project).is_dir()

    def test_a_registered_version_and_an_alias(self, project, run_id):
        import mlflow

        store = (project / "mlruns").as_uri()
        client = mlflow.MlflowClient(store, store)
        client.create_registered_model("churn")
        client.create_model_version("churn", f"{client.get_run(run_id).info.artifact_uri}/outputs", run_id)
        client.set_registered_model_alias("churn", "champion", "1")
        assert (locate("models:/churn/1", project) / "model.txt").read_text() == "from a run"
        assert (locate("models:/churn@champion", project) / "model.txt").is_file()
        with pytest.raises(ContentError, match=r"models:/churn@other: .*other"):
            locate("models:/churn@other", project)

    def test_a_download_that_was_cut_off_is_begun_anew(self, project, run_id, monkeypatch):
        import mlflow.artifacts

        def cut_off(uri, dst_path, tracking_uri):
            write(Path(dst_path), "model.txt", "half")
            raise OSError("connection reset")

        def whole(uri, dst_path, tracking_uri):
            asked.append(uri)
            write(Path(dst_path), "model.txt", "from a server")

        asked = []
        client = SimpleNamespace(get_model_version_download_uri=lambda name, version: "mlflow-artifacts://x")
        monkeypatch.setattr(mlflow_store, "mlflow_client", lambda source, tracking: client)
        monkeypatch.setattr(mlflow.artifacts, "download_artifacts", cut_off)
        with pytest.raises(ContentError, match="connection reset"):
            locate("models:/churn/7", project)
        monkeypatch.setattr(mlflow.artifacts, "download_artifacts", whole)
        for _ in range(2):
            assert (locate("models:/churn/7", project) / "model.txt").read_text() == "from a server"
        assert asked == ["models:/churn/7"]

    def test_a_model_of_a_run_is_registered(self, record, run_id):
        model = record("model:StoredModel")
        outputs = model.create(name="m", source=f"runs:/{run_id}/outputs/model.txt")
        assert outputs["file_name"] == "model.txt" and outputs["size"] == len("from a run")
        assert model.read() == outputs

    def test_a_run_is_looked_up_once(self, project, run_id, monkeypatch):
        locate(f"runs:/{run_id}/outputs", project)
        monkeypatch.setattr("mldeploy.artifacts.mlflow_store._ask_mlflow", None)
        assert locate(f"runs:/{run_id}/outputs", project).is_dir()

    def test_what_is_not_there_is_named(self, project, run_id):
        with pytest.raises(ContentError, match="the run has no output 'outputs/no'"):
            locate(f"runs:/{run_id}/outputs/no", project)
        with pytest.raises(ContentError, match=r"the run has no output '\.\./\.\./\.\./x'"):
            locate(f"runs:/{run_id}/../../../x", project)
        with pytest.raises(ContentError, match="0123456789abcdef"):
            locate("runs:/0123456789abcdef0123456789abcdef/outputs", project)


class TestDatabase:
    """Against the tables that MLflow 3 makes by default, as mlflow-skinny cannot read them itself."""

    @pytest.fixture
    def store(self, project, monkeypatch):
        monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
        with closing(sqlite3.connect(project / "mlflow.db")) as made:
            made.execute("CREATE TABLE runs (run_uuid TEXT, artifact_uri TEXT)")
            made.execute(
                "CREATE TABLE logged_models (source_run_id TEXT, name TEXT, artifact_location TEXT, "
                "creation_timestamp_ms INTEGER, model_id TEXT)"
            )
            made.execute(
                "CREATE TABLE model_versions (name TEXT, version INTEGER, source TEXT, storage_location TEXT)"
            )
            made.execute("CREATE TABLE registered_model_aliases (name TEXT, alias TEXT, version INTEGER)")
            outputs = write(project, "mlruns/1/abc/artifacts/outputs/model.txt", "from a run").parents[1]
            made.execute("INSERT INTO runs VALUES ('abc', ?)", (str(outputs),))
            made.execute("INSERT INTO runs VALUES ('far', 's3://bucket/far')")
            logged = write(project, "mlruns/1/models/m-1/artifacts/MLmodel", "flavors: {}").parent
            made.execute("INSERT INTO logged_models VALUES ('abc', 'model', ?, 1, 'm-1')", (logged.as_uri(),))
            second = write(project, "mlruns/1/models/m-2/artifacts/MLmodel", "flavors: {a: 1}").parent
            versions = [
                (1, "models:/m-1", "models:/m-1"),
                (2, "models:/m-2", str(second)),
                (3, "s3://b/x", None),
            ]
            made.executemany("INSERT INTO model_versions VALUES ('churn', ?, ?, ?)", versions)
            made.execute("INSERT INTO registered_model_aliases VALUES ('churn', 'champion', 1)")
            made.commit()
        return project

    def test_registered_versions_and_aliases(self, store):
        first, second = locate("models:/churn/1", store), locate("models:/churn/2", store)
        assert (first / "MLmodel").read_text() == "flavors: {}"
        assert (second / "MLmodel").read_text() == "flavors: {a: 1}"
        assert locate("models:/churn@champion", store) == first
        with closing(sqlite3.connect(store / "mlflow.db")) as made:
            made.execute("UPDATE registered_model_aliases SET version = 2")
            made.commit()
        assert locate("models:/churn@champion", store) == second

    def test_outputs_beside_a_database(self, store):
        assert locate("runs:/abc/outputs/model.txt", store).read_text() == "from a run"

    def test_a_logged_model_is_found_by_its_name(self, store):
        assert (locate("runs:/abc/model", store) / "MLmodel").is_file()
        assert locate("runs:/abc/model/MLmodel", store).is_file()

    @pytest.mark.parametrize(
        ("source", "words"),
        [
            ("runs:/none/outputs", "Run 'none' not found"),
            ("runs:/abc/other", "the run has no output 'other'"),
            ("models:/churn/4", "model 'churn' has no version 4"),
            ("models:/churn@other", "model 'churn' has no alias 'other'"),
            ("models:/churn/3", "its files are at s3://b/x: set MLFLOW_TRACKING_URI"),
            ("models:/churn", "must be models:/<name>/<version> or models:/<name>@<alias>"),
            ("runs:/far/outputs", "its outputs are at s3://bucket/far: set MLFLOW_TRACKING_URI"),
        ],
    )
    def test_what_is_not_there(self, store, source, words):
        with pytest.raises(ContentError, match=words):
            locate(source, store)

    def test_a_store_of_files_wins_as_it_does_for_mlflow(self, store):
        write(store, "mlruns/0/meta.yaml", "name: Default")
        assert tracking_uri(store) == (store / "mlruns").as_uri()
