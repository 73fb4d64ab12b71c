"""What a manifest's files hold: said by `validate`, before anything is made."""

import os

import pytest

from mldeploy.manifest import ManifestErrors, load
from mldeploy.values.variables import reserved

MANIFEST = """version: 1
models: {m: {source: models}}
images: {i: {models: [m], source_directory: scripts, entry_script: score.py%s}}
targets: {here: {type: local, runtime: process}}
services: {s: {image: i, target: here, port: 8890}}
"""


@pytest.fixture
def project(tmp_path):
    for name in ("models/m.pkl", "scripts/score.py", "scripts/more/util.py"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("x = 1\n")
    (tmp_path / "manifest.yaml").write_text(MANIFEST % "")
    return tmp_path


def faults(project) -> str:
    with pytest.raises(ManifestErrors) as raised:
        load(project, "local")
    return str(raised.value)


FAULTY = {
    "a dangling link": (
        lambda p: (p / "scripts/more/l").symlink_to("gone"),
        "source_directory",
        "scripts/more/l",
    ),
    "a link out": (lambda p: (p / "scripts/l").symlink_to("/etc/hostname"), "source_directory", "scripts/l"),
    "a pipe": (lambda p: os.mkfifo(p / "scripts/more/pipe"), "source_directory", "scripts/more/pipe"),
    "a pipe in a model": (lambda p: os.mkfifo(p / "models/pipe"), "models.m.source", "models/pipe"),
    "a link out of a model": (
        lambda p: (p / "models/l").symlink_to("/etc/hostname"),
        "models.m.source",
        "models/l",
    ),
    "a syntax error": (
        lambda p: (p / "scripts/score.py").write_text("def init():\n    pass\ndef run(x)\n"),
        "images.i.entry_script",
        "scripts/score.py:3: expected ':'",
    ),
    "no text": (lambda p: (p / "scripts/score.py").write_bytes(b"x = '\xff'\n"), "entry_script", "score.py:"),
    "a NUL": (lambda p: (p / "scripts/score.py").write_bytes(b"x = 1\0\n"), "entry_script", "null bytes"),
}


@pytest.mark.parametrize("case", FAULTY)
def test_faulty_files(project, case):
    break_it, where, words = FAULTY[case]
    break_it(project)
    found = faults(project)
    assert where in found
    assert words in found
    assert "manifest.yaml:" in found


def test_what_is_left_out_may_be_anything(project):
    (project / "scripts/.gitignore").write_text("more/\n")
    os.mkfifo(project / "scripts/more/pipe")
    load(project, "local")


def test_a_script_for_another_python_is_left_to_that_one(project):
    (project / "scripts/score.py").write_text("def run(x)\n")
    (project / "scripts/conda.yml").write_text("dependencies: [python=3.10]\n")
    (project / "manifest.yaml").write_text(MANIFEST % ", conda_file: conda.yml")
    load(project, "local")


@pytest.mark.parametrize(
    "name", ["PATH", "Path", "PYTHONPATH", "PYTHONHOME", "AZUREML_MODEL_DIR", "SERVING_PORT", "PULUMI_X"]
)
def test_variables_that_a_service_cannot_have(project, name):
    (project / "manifest.yaml").write_text(MANIFEST % f", environment_variables: {{{name}: x}}")
    assert f"environment_variables.{name}: is set for every service" in faults(project)


@pytest.mark.parametrize("name", ["MY_PATH", "PYTHON", "AZUREML_X", "LANG"])
def test_variables_that_it_can(name):
    assert reserved(name) is None
