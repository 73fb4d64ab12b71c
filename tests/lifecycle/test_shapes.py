"""Services of every shape: shared models, several models, folders, runs, raw bytes; and what removing one leaves."""

import json
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from tests.lifecycle.project import ECHO_SCRIPT, free_port

TWO_MODELS = """
import json, os
from azureml.core.model import Model

def init():
    global parts
    root = os.environ["AZUREML_MODEL_DIR"]
    parts = {"root": os.path.basename(root), "listed": sorted(os.listdir(root))}
    for name in ("echo", "folder"):
        path = Model.get_model_path(name)
        file = os.path.join(path, "inner.json") if os.path.isdir(path) else path
        with open(file) as stream:
            parts[name] = json.load(stream)["factor"]
    parts["versioned"] = os.path.basename(Model.get_model_path("folder", version=7))

def run(raw):
    return parts
"""
RAW = """
from azureml.contrib.services.aml_request import AMLRequest, rawhttp
from azureml.contrib.services.aml_response import AMLResponse

def init():
    pass

@rawhttp
def run(request):
    body = request.get_data(False)
    return AMLResponse(bytes(reversed(body)), 200)
"""


def test_two_services_share_a_model_and_one_can_go(project):
    project.echo()

    def second(manifest):
        service = dict(manifest["services"]["echo"], port=free_port())
        manifest["services"]["other"] = service

    project.edit_manifest(second)
    project.run("up", "--yes")
    assert project.states() == {"echo": "healthy", "other": "healthy"}
    assert sum(r["type"] == "mldeploy:model:StoredModel" for r in project.resources()) == 1
    uri = project.status()["other"]["scoring_uri"]
    project.edit_manifest(lambda m: m["services"].pop("other"))
    changes = project.change("up")
    assert changes["delete"] == 4  # endpoint, replica, gate, listener
    assert changes["create"] == changes["update"] == changes["replace"] == 0
    with pytest.raises(httpx.TransportError):
        httpx.post(uri, content=b"{}")
    assert project.post("echo", {"x": [1]}).status_code == 200


def test_two_models_a_folder_and_get_model_path(project):
    project.echo(factor=4)
    project.write("models/folder/inner.json", {"factor": 11})
    project.write("scripts/two.py", TWO_MODELS)

    def two(manifest):
        manifest["models"]["folder"] = {"source": "models/folder", "version": 7}
        manifest["images"]["two"] = {
            "models": ["echo", "folder"],
            "source_directory": "scripts",
            "entry_script": "two.py",
        }
        manifest["services"]["two"] = {"image": "two", "target": "here", "port": free_port()}

    project.edit_manifest(two)
    project.run("up", "--yes")
    answer = project.post("two", {}).json()
    assert answer == {
        "root": "azureml-models",
        "listed": ["echo", "folder"],
        "echo": 4,
        "folder": 11,
        "versioned": "folder",
    }


def test_a_raw_bytes_service(project):
    project.echo()
    project.write("scripts/raw.py", RAW)

    def raw(manifest):
        manifest["images"]["echo"]["entry_script"] = "raw.py"
        manifest["services"]["echo"].pop("golden")

    project.edit_manifest(raw)
    project.run("up", "--yes")
    assert project.post("echo", b"\x00\xff\x10").content == b"\x10\xff\x00"


def test_a_model_of_an_experiment_run(project, monkeypatch):
    mlflow = pytest.importorskip("mlflow", reason="needs the extra `mlflow`")
    store = project.root / "mlruns"
    project.environment["MLFLOW_TRACKING_URI"] = store.as_uri()
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    client = mlflow.MlflowClient(tracking_uri=store.as_uri())
    run = client.create_run(client.create_experiment("lifecycle"))
    project.echo(factor=6)
    client.log_artifact(run.info.run_id, str(project.root / "models/weights.json"), "outputs")
    project.edit_manifest(
        lambda m: m["models"]["echo"].update(source=f"runs:/{run.info.run_id}/outputs/weights.json")
    )
    project.run("up", "--yes")
    assert project.post("echo", {"x": [1]}).json()["factor"] == 6
    project.run("preview", "--expect-no-changes")


def test_removing_a_model_removes_it_and_nothing_else(project):
    project.echo()
    project.write("models/spare.txt", "spare")
    project.edit_manifest(lambda m: m["models"].update(spare={"source": "models/spare.txt"}))
    project.run("up", "--yes")
    project.edit_manifest(lambda m: m["models"].pop("spare"))
    changes = project.change("up")
    assert changes["delete"] == 2  # the registered model and its files
    assert changes["create"] == changes["replace"] == 0
    assert project.states() == {"echo": "healthy"}


def test_workers_share_the_port(project):
    project.echo(num_replicas=2)
    project.write(
        "scripts/score.py",
        "import os, time\ndef init():\n    pass\ndef run(raw):\n    time.sleep(0.05)\n    return os.getpid()\n",
    )
    project.edit_manifest(lambda m: m["services"]["echo"].pop("golden"))
    project.run("up", "--yes")
    uri = project.status()["echo"]["scoring_uri"]
    pids = set()
    # The kernel says which process gets a connection: one can get all of a few.
    with ThreadPoolExecutor(8) as clients:
        for _ in range(20):
            pids |= set(clients.map(lambda _: httpx.post(uri, content=b"1", timeout=30).text, range(32)))
            if len(pids) == 2:
                break
    assert len(pids) == 2


def test_logs_show_what_the_script_prints(project):
    project.echo()
    project.write(
        "scripts/score.py",
        ECHO_SCRIPT.replace("    data = json", '    print("scoring", raw)\n    data = json'),
    )
    project.run("up", "--yes")
    project.post("echo", {"x": [41]})
    assert "scoring" in project.run("logs", "echo").stdout
    refused = json.loads(project.run("keys", "echo", "--json", check=False).stdout)
    assert refused == {"result": "failed", "errors": [{"message": "echo has no keys: auth_enabled is off"}]}
