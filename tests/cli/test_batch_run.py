"""`mldeploy batch run`: on this machine in a folder without a checkout, and as a job of Azure ML."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
import yaml

from mldeploy.operations import OperationError, arm, batch_jobs
from mldeploy.provider.azure import arm as provider_arm

SCRIPT = """
import os
from pathlib import Path

def init():
    global factor
    (model,) = Path(os.environ["AZUREML_MODEL_DIR"]).iterdir()
    factor = int(model.read_text())

def run(mini_batch):
    return [f"{Path(one).name} {factor * int(Path(one).read_text())} {os.environ['LEVEL']} {os.environ['KEY']}"
            for one in mini_batch]
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    root = tmp_path / "project"
    (root / "scripts").mkdir(parents=True)
    (root / "in").mkdir()
    (root / "scripts/score.py").write_text(SCRIPT)
    (root / "factor.txt").write_text("3")
    (root / "Pulumi.yaml").write_text("name: shop\nruntime: python\n")
    for number in range(5):
        (root / f"in/{number}").write_text(str(number))
    image = {"models": ["factor"], "source_directory": "scripts", "entry_script": "score.py"}
    variables = {"LEVEL": "low", "KEY": {"env": "THE_KEY"}}
    manifest = {
        "version": 1,
        "azure": {"location": "westeurope"},
        "models": {"factor": {"source": "factor.txt"}},
        "images": {"churn": image | {"environment_variables": variables}},
        "targets": {"here": {"type": "local"}},
        "services": {"churn": {"image": "churn", "target": "here", "port": 8890}},
    }
    (root / "manifest.yaml").write_text(yaml.safe_dump(manifest))
    return root


def mldeploy(project: Path, *arguments: str, code: int = 0) -> str:
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("PULUMI_", "MLDEPLOY_", "PYTHONPATH"))}
    environ = kept | {"MLDEPLOY_HOME": str(project.parent / "home"), "THE_KEY": "k"}
    command = [sys.executable, "-m", "mldeploy", "batch", "run", *arguments]
    done = subprocess.run(
        command, cwd=project, env=environ, capture_output=True, text=True, check=False, timeout=240
    )
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_on_this_machine(project: Path) -> None:
    """The model, the variables and the options are the manifest's; the runner's own options are taken, too."""
    said = mldeploy(project, "churn", "--input", "in", "--output", "out", "--mini-batch-size", "2")
    assert "5 items in 3 mini batches: 5 succeeded, 0 failed" in said
    rows = (project / "out/predictions.csv").read_text().splitlines()
    assert rows == [f"{n} {3 * n} low k" for n in range(5)]
    (project / "factor.txt").write_text("4")
    assert "continuing: 3 of 3" in mldeploy(
        project, "churn", "-i", "in", "-o", "out", "--mini-batch-size", "2"
    )
    mldeploy(project, "churn", "-i", "in", "-o", "out", "--mini-batch-size", "2", "--restart")
    assert (project / "out/predictions.csv").read_text().startswith("0 0 low k\n1 4 low k\n")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("chrun", "--input", "in", "--output", "out"), "no service 'chrun'; it has: churn"),
        (("churn", "--input", "in"), "--output: missing"),
        (("churn", "--input", "nothing", "--output", "out"), "no such file or folder"),
    ],
)
def test_what_is_wrong(project: Path, arguments: tuple[str, ...], said: str) -> None:
    assert said in mldeploy(project, *arguments, code=2)


ENDPOINT = "/subscriptions/s/resourceGroups/g/providers/Microsoft.MachineLearningServices/workspaces/w"
DATA = "azureml://datastores/d/paths/in/"


def test_as_a_job_of_azure_ml(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    sent: list[dict[str, object]] = []
    states = iter(["Queued", "Running", "Completed"])
    asked: list[str] = []

    def post(uri: str, **given: object) -> httpx.Response:
        sent.append({"uri": uri, **given})
        return httpx.Response(200, json={"name": "job-1"})

    def ask(ident: str, version: str, query: str = "") -> dict[str, object]:
        asked.append(ident)
        return {"properties": {"status": next(states)}}

    monkeypatch.setattr(httpx, "post", post)
    monkeypatch.setattr(arm, "ask", ask)
    monkeypatch.setattr(provider_arm, "token", lambda scope: f"token for {scope}")
    monkeypatch.setattr(batch_jobs, "_POLL_SECONDS", 0)
    assert batch_jobs.run(f"{ENDPOINT}/batchEndpoints/e", "https://e/jobs", DATA, None) == 0
    assert sent[0]["json"] == {
        "properties": {"InputData": {"data": {"JobInputType": "UriFolder", "Uri": DATA}}}
    }
    assert sent[0]["headers"] == {"Authorization": "Bearer token for https://ml.azure.com/.default"}
    assert set(asked) == {f"{ENDPOINT}/jobs/job-1"}
    assert [line.split()[0] for line in capsys.readouterr().err.splitlines()] == [
        "job", "Queued", "Running", "Completed",
    ]  # fmt: skip
    assert json.dumps(sent[0]["json"])


def test_a_folder_of_this_machine_is_refused_for_azure_ml() -> None:
    with pytest.raises(OperationError, match="--input in: the nodes cannot see it"):
        batch_jobs.run(f"{ENDPOINT}/batchEndpoints/e", "https://e/jobs", "in", None)
