"""The five-minute start, the pages' commands and the way from v1: really run, in one pass, in a copy of all files."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import time
from pathlib import Path

import pytest

from tests.docs.blocks import ROOT, blocks, commands
from tests.lifecycle.project import free_port

pytestmark = [pytest.mark.reliability, pytest.mark.timeout(900)]
V1 = {
    "inferenceconfig.json": {
        "entryScript": "score.py",
        "sourceDirectory": "src",
        "runtime": "python",
        "condaFile": "conda.yml",
    },
    "deploymentconfig.json": {
        "computeType": "aks",
        "containerResourceRequirements": {"cpu": 0.5, "memoryInGB": 1.0},
        "autoScaler": {"autoscaleEnabled": True, "minReplicas": 2, "maxReplicas": 4},
        "authEnabled": True,
        "scoringTimeoutMs": 30000,
    },
}
SCRIPT = """
import json, os
from azureml.core.model import Model

def init():
    global factor
    with open(Model.get_model_path("churn")) as file:
        factor = json.load(file)["factor"]

def run(data):
    return [x * factor for x in json.loads(data)["x"]]
"""


class Walk:
    """A copy of the checkout with services and state of its own, and a shell in it."""

    def __init__(self, folder: Path) -> None:
        self.root, self.home = folder / "checkout", folder / "home"
        listed = subprocess.run(
            ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
            cwd=ROOT,
            capture_output=True,
            check=True,
        )
        for name in listed.stdout.decode().split("\0"):
            if name and (ROOT / name).is_file():
                (self.root / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(ROOT / name, self.root / name)
        self._environment()
        self._ports()

    def _environment(self) -> None:
        """What `make setup-dev` made: it must not be made again from here, as it belongs to the checkout."""
        venv = self.root / ".venv"
        venv.mkdir()
        for entry in (ROOT / ".venv").iterdir():
            if entry.name not in (".base", ".cloud", ".dev"):
                (venv / entry.name).symlink_to(entry)
        for name in (
            "pyproject.toml",
            *(f"requirements/{one.name}" for one in (ROOT / "requirements").iterdir()),
        ):
            os.utime(self.root / name, (0, 0))
        for name in (".base", ".cloud", ".dev"):
            (venv / name).touch()
            time.sleep(0.01)
        planned = self.run("make -n setup-dev setup-cloud")
        assert "install" not in planned, planned

    def _ports(self) -> None:
        file = self.root / "manifest.local.yaml"
        text = file.read_text()
        for port in re.findall(r"port: (\d+)", text):
            text = text.replace(port, str(free_port()))
        file.write_text(text)

    def run(self, command: str, *, fails: bool = False, cwd: Path | None = None) -> str:
        """What the command printed; the test fails when it does (or does not, with ``fails``)."""
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("PULUMI_", "MLDEPLOY_", "MAKE"))}
        more = {
            "PATH": f"{self.root}/.venv/bin{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": str(self.root),
            "MLDEPLOY_HOME": str(self.home),
            "MLDEPLOY_ENGINE": "embedded",
            "NO_COLOR": "1",
        }
        done = subprocess.run(
            ["bash", "-c", command],
            cwd=cwd or self.root,
            env=kept | more,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=600,
        )
        said = done.stdout + done.stderr
        assert (done.returncode != 0) == fails, f"{command}: exit code {done.returncode}\n{said}"
        return said


@pytest.fixture(scope="module")
def walk(tmp_path_factory):
    made = Walk(tmp_path_factory.mktemp("walk"))
    yield made
    made.run("make down")


def lines(file: str) -> list[str]:
    """The commands of a page's console blocks, in order."""
    return [
        " ".join(words)
        for block in blocks()
        if block.file == file and block.language == "console"
        for words in commands(block)
    ]


def start(file: str) -> list[str]:
    """Those of the five-minute start."""
    found = lines(file)
    return [*found[: found.index("make preview") + 2], "make down"]


def test_three_pages_tell_the_same_start():
    assert start("README.md") == start("docs/index.md") == start("docs/ja/index.md")


def test_five_minutes(walk):
    """README's first commands as they stand there, and what the text between them promises."""
    first, second = start("README.md")[:3], start("README.md")[3:-1]
    begin = time.monotonic()
    said = [walk.run(command) for command in first]
    assert time.monotonic() - begin < 300
    headings = next(
        block.text.splitlines()[0]
        for block in blocks()
        if block.file == "README.md" and block.language == "text"
    )
    assert (
        headings.split() == next(line for line in said[0].splitlines() if line.startswith("SERVICE")).split()
    )
    assert said[2].count("healthy") == 2
    assert json.loads(walk.run("mldeploy preview --json").splitlines()[-1])["changes"]["create"] == 0
    walk.run("mldeploy preview --expect-no-changes")
    said = [walk.run(command) for command in second]
    assert "eplace" in said[2]
    assert walk.run("make status").count("healthy") == 2


def test_breaking_it_on_purpose(walk):
    script = walk.root / "entry_scripts/diabetes/score.py"
    kept = script.read_text()
    before = json.loads(walk.run("mldeploy status --json"))
    script.write_text(kept.replace("def init():", 'def init():\n    raise RuntimeError("no")', 1))
    assert script.read_text() != kept
    said = walk.run("make up", fails=True)
    assert 'raise RuntimeError("no")' in said
    walk.run("make score")
    script.write_text(kept)
    walk.run("make up")
    assert json.loads(walk.run("mldeploy status --json")) == before
    assert walk.run("mldeploy preview --expect-no-changes")


def test_local_pages_commands(walk):
    for command in lines("docs/local.md"):
        walk.run(command.replace(" -f", ""))  # following ends with Ctrl-C only
    # The client's docstring has its commands.
    uris = {row["service"]: row["scoring_uri"] for row in json.loads(walk.run("mldeploy status --json"))}
    (key,) = re.findall(r"^    (KEY=.*)$", (walk.root / "docs/examples/client.py").read_text(), re.M)
    request = "$(cat golden/diabetes.json)"
    client = "python docs/examples/client.py"
    assert json.loads(
        walk.run(f'export {key}; {client} {uris["diabetes"]} --key-from KEY --json "{request}"')
    )
    assert json.loads(walk.run(f"{client} {uris['digits']} --file golden/digit.png"))["label"] == "2"


def test_python_blocks_with_tests(walk):
    """Those of "Testing your own components" run with pytest, as the page says."""
    (walk.root / "own").mkdir()
    for index, block in enumerate(
        one for one in blocks() if one.language == "python" and "def test_" in one.text
    ):
        (walk.root / f"own/test_{index}.py").write_text(block.text)
    assert " passed" in walk.run("python -m pytest -q -p no:cacheprovider -o addopts= own")


def test_plans_of_dev_and_prod(walk):
    """README's third block, and the policy page's preview."""
    found = [line for line in lines("README.md") if "STACK=" in line]
    assert found == ["make preview STACK=dev", "make preview STACK=prod"]
    for command in found:
        assert "+" in walk.run(f"PULUMI_CONFIG_PASSPHRASE=of-this-test {command}")


def v1_files(folder: Path) -> None:
    (folder / "src").mkdir(parents=True)
    (folder / "src/score.py").write_text(SCRIPT)
    (folder / "src/conda.yml").write_text("dependencies: [python=3.11, {pip: [azureml-defaults]}]\n")
    (folder / "models").mkdir()
    (folder / "models/churn.pkl").write_text('{"factor": 3}')
    (folder / "request.json").write_text('{"x": [1, 2]}')
    for name, document in V1.items():
        (folder / name).write_text(json.dumps(document))


def test_from_v1_files_to_a_local_service_and_a_plan_for_prod(walk, tmp_path):
    """The migration page's commands, in a folder that has the user's v1 files and nothing else."""
    copy = tmp_path / "mine"
    v1_files(copy)
    begin = time.monotonic()
    found = lines("docs/migration.md")
    assert [one for one in lines("README.md") if "--stack prod" in one] == found[4:6]
    try:
        for command in found[:4]:
            said = walk.run(command, cwd=copy)
        assert json.loads(said) == [3, 6]
        assert time.monotonic() - begin < 600
        # What only a person knows is asked for, by file and line, and nothing is planned before it is there.
        validate, preview, doctor = found[4:7]
        said = walk.run(validate, cwd=copy, fails=True)
        assert said.count("is still to be decided") == 2
        prod = copy / "manifest.prod.yaml"
        prod.write_text(prod.read_text().replace("CHANGE-ME", "ml-platform"))
        walk.run(validate, cwd=copy)
        walk.run(f"PULUMI_CONFIG_PASSPHRASE=x {preview}", cwd=copy)
        assert "New service." in (copy / "plan.md").read_text()
        assert "fix: " in walk.run(doctor, cwd=copy, fails=True)
    finally:
        walk.run("mldeploy destroy --yes", cwd=copy)


def test_down(walk):
    walk.run("make down")
    assert "healthy" not in walk.run("make status")
    left = [*walk.home.glob("services/replicas/*"), *walk.home.glob("services/listeners/*")]
    assert left == []
