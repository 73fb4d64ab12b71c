"""`base_image: runs:/<run id>`: the image of a training run, from MLflow or from Azure ML's run history."""

import functools
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from mldeploy.artifacts.content import ContentError
from mldeploy.imaging import training_runs
from mldeploy.provider.azure import arm

WORKSPACE = (
    "/subscriptions/0-1/resourceGroups/ml/providers/Microsoft.MachineLearningServices/workspaces/space"
)
RUNS = {
    "own": {"AzureML.DerivedImageName": "azureml/azureml_3f5c", "azureml.git.branch": "main"},
    "public": {"AzureML.DerivedImageName": "mcr.microsoft.com/azureml/minimal-py312-inference:1"},
    "none": {"azureml.git.branch": "main"},
}

base_image = functools.partial(training_runs.base_image, login=lambda scope: arm.token(scope))


@pytest.fixture(autouse=True)
def own_home(tmp_path, monkeypatch):
    monkeypatch.setenv("MLDEPLOY_HOME", str(tmp_path / "home"))


@pytest.fixture
def history(monkeypatch):
    """Azure ML's run history on this machine; yields the paths it was asked for."""
    asked = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            prefix = f"/history/v1.0{WORKSPACE}/runs/"
            run = RUNS.get(self.path.removeprefix(prefix)) if self.path.startswith(prefix) else None
            status = 401 if self.headers["Authorization"] != "Bearer t0ken" else 200 if run else 404
            body = json.dumps({"runId": "x", "properties": run}).encode() if status == 200 else b"{}"
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    uri = f"azureml://127.0.0.1:{server.server_address[1]}/mlflow/v2.0{WORKSPACE}?"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    monkeypatch.setattr(arm, "token", lambda scope: "t0ken" if "ml.azure.com" in scope else "no")
    yield asked
    server.shutdown()
    server.server_close()


def test_an_azure_ml_run(history, tmp_path):
    assert base_image("runs:/public", tmp_path) == RUNS["public"]["AzureML.DerivedImageName"]
    assert base_image("runs:/own", tmp_path, "space.azurecr.io") == "space.azurecr.io/azureml/azureml_3f5c"
    assert base_image("runs:/own", tmp_path, "space.azurecr.io") == "space.azurecr.io/azureml/azureml_3f5c"
    assert len(history) == 2  # a run's image never changes


@pytest.mark.parametrize(
    ("run", "reason"),
    [
        ("own", r"give that one as base_image_registry: \{address: <registry>.azurecr.io\}"),
        ("none", "the run has no image of its own"),
        ("missing", "the workspace has no such run"),
    ],
)
def test_what_cannot_be_a_base_image(history, tmp_path, run, reason):
    with pytest.raises(ContentError, match=reason):
        base_image(f"runs:/{run}", tmp_path)


def test_a_refused_login(history, tmp_path, monkeypatch):
    monkeypatch.setattr(arm, "token", lambda scope: "another")
    with pytest.raises(ContentError, match="Azure ML answers 401"):
        base_image("runs:/own", tmp_path)


def test_a_tracking_uri_without_a_workspace(tmp_path, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "azureml://westeurope.api.azureml.ms/mlflow/v2.0")
    with pytest.raises(ContentError, match="names no workspace"):
        base_image("runs:/own", tmp_path)


def test_an_mlflow_run(tmp_path, monkeypatch):
    mlflow = pytest.importorskip("mlflow", reason="needs mlflow-skinny: install mldeploy[mlflow]")
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    store = (tmp_path / "mlruns").as_uri()
    client = mlflow.MlflowClient(store, store)
    run = client.create_run("0", tags={"mlflow.docker.image.uri": "cr.example.com/train:7"}).info.run_id
    assert base_image(f"runs:/{run}", tmp_path) == "cr.example.com/train:7"
    with pytest.raises(ContentError, match=r"runs are read from .*mlruns"):
        base_image("runs:/0123456789abcdef0123456789abcdef", tmp_path)


def test_nobody_is_logged_in(history, tmp_path, monkeypatch):
    def nobody(_scope):
        raise ContentError("no Azure login: run `az login`")

    monkeypatch.setattr(arm, "token", nobody)
    with pytest.raises(ContentError, match="runs:/own: Azure ML cannot be asked: no Azure login"):
        base_image("runs:/own", tmp_path)
    assert not history
