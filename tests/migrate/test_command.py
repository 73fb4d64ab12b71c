"""`mldeploy import-v1`: from v1 files to a running local service."""

import json
import shutil

import httpx
import pytest

from mldeploy.cli.app import run as command
from tests.lifecycle.project import Project, free_port
from tests.migrate.cases import project as make_case

INFERENCE = {"entryScript": "score.py", "sourceDirectory": "source"}


def files(folder, port):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "inferenceconfig.json").write_text(json.dumps(INFERENCE))
    (folder / "deploymentconfig.json").write_text(json.dumps({"computeType": "local", "port": port}))
    (folder / "source").mkdir(exist_ok=True)
    (folder / "source" / "score.py").write_text(
        "import json, os\nfrom azureml.core.model import Model\n\n"
        "def init():\n    global factor\n    factor = json.load(open(Model.get_model_path('scale')))['factor']\n\n"
        "def run(raw):\n    return {'scaled': [x * factor for x in json.loads(raw)['x']]}\n"
    )
    (folder / "weights.json").write_text('{"factor": 3}')


@pytest.fixture
def deployed(tmp_path):
    project = Project(tmp_path / "project", tmp_path / "home", "embedded")
    yield project
    if (project.root / ".pulumi-state").exists():
        project.run("destroy", "--yes")


def test_v1_files_to_a_running_local_service(deployed):
    """What a v1 user does: import the two JSON files, `up`, score."""
    port = free_port()
    files(deployed.root, port)
    done = deployed.run(
        "import-v1", "inferenceconfig.json", "deploymentconfig.json", "--model", "scale:1=weights.json", "--name", "scale"  # noqa: E501
    )  # fmt: skip
    assert "wrote manifest.local.yaml" in done.stdout
    assert (deployed.root / "migration-report.md").exists()
    deployed.run("up", "--yes")
    answer = httpx.post(f"http://127.0.0.1:{port}/score", json={"x": [1, 2]}, timeout=30)
    assert answer.json() == {"scaled": [3, 6]}
    assert deployed.change("preview")["same"] > 0


def test_an_existing_manifest_is_kept(tmp_path, capsys):
    files(tmp_path, 8890)
    (tmp_path / "manifest.yaml").write_text("version: 1\n")
    arguments = [
        "import-v1",
        str(tmp_path / "inferenceconfig.json"),
        "-m",
        "a:1=weights.json",
        "-o",
        str(tmp_path),
    ]
    assert command(arguments) == 2
    assert "exists; give --force" in capsys.readouterr().err
    assert (tmp_path / "manifest.yaml").read_text() == "version: 1\n"
    assert command([*arguments, "--force"]) == 0
    assert "models:" in (tmp_path / "manifest.yaml").read_text()


def test_dry_run_writes_nothing(tmp_path, capsys):
    files(tmp_path, 8890)
    before = sorted(tmp_path.rglob("*"))
    arguments = [
        "import-v1",
        str(tmp_path / "inferenceconfig.json"),
        "-m",
        "a:1=weights.json",
        "-o",
        str(tmp_path),
    ]
    assert command([*arguments, "--dry-run"]) == 0
    assert sorted(tmp_path.rglob("*")) == before
    assert "--- manifest.yaml" in capsys.readouterr().out


def test_json(tmp_path, capsys):
    root = make_case("09-json-aks-all", tmp_path / "p")
    shutil.rmtree(root / "folder")
    given = [str(root / "inferenceconfig.json"), str(root / "deploymentconfig.json")]
    assert command(["import-v1", *given, "-m", "churn:1=model.pkl", "-o", str(root), "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["files"]["manifest.prod.yaml"]["services"]["churn"]["num_replicas"] == 3
    assert document["secrets"]
    assert {finding["outcome"] for finding in document["findings"]} >= {"mapped", "changed", "to decide"}


def test_conda_advice(tmp_path, capsys):
    (tmp_path / "conda.yml").write_text("dependencies:\n  - python=3.6\n  - pip: [sklearn]\n")
    assert command(["import-v1", "--conda", str(tmp_path / "conda.yml")]) == 0
    out = capsys.readouterr().out
    assert "use 3.11" in out
    assert "scikit-learn" in out


@pytest.mark.parametrize(
    ("arguments", "message"), [([], "give deployment scripts"), (["absent.py"], "absent.py: No such file")]
)
def test_bad_input_is_exit_code_2(arguments, message, capsys):
    assert command(["import-v1", *arguments]) == 2
    assert message in capsys.readouterr().err


def test_a_folder_becomes_a_project(tmp_path, capsys):
    files(tmp_path, 8890)
    (tmp_path / ".gitignore").write_text("mine\n")
    arguments = [
        "import-v1",
        str(tmp_path / "inferenceconfig.json"),
        "-m",
        "a:1=weights.json",
        "-o",
        str(tmp_path),
    ]
    assert command([*arguments, "--dry-run"]) == 0
    assert "--- Pulumi.yaml" in capsys.readouterr().out
    assert not (tmp_path / "Pulumi.yaml").exists()
    assert command(arguments) == 0
    assert (tmp_path / ".gitignore").read_text() == "mine\n", "what is there stays"
    before = (tmp_path / "Pulumi.yaml").read_text()
    assert before.startswith("name: test_a_folder")
    (tmp_path / "Pulumi.yaml").write_text("name: mine\nruntime: python\n")
    assert command([*arguments, "--force"]) == 0
    assert (tmp_path / "Pulumi.yaml").read_text().startswith("name: mine"), "a project stays as it is"


def test_a_program_of_ones_own_is_kept(tmp_path, capsys):
    files(tmp_path, 8890)
    (tmp_path / "__main__.py").write_text("print('mine')\n")
    arguments = [
        "import-v1",
        str(tmp_path / "inferenceconfig.json"),
        "-m",
        "a:1=weights.json",
        "-o",
        str(tmp_path),
    ]
    assert command([*arguments, "--force"]) == 2
    assert "exists and is not a project's program" in capsys.readouterr().err
    assert (tmp_path / "__main__.py").read_text() == "print('mine')\n"
    assert not (tmp_path / "manifest.yaml").exists()
