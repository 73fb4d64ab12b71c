"""What people install: one package with everything in it, that works in an empty folder."""

import os
import pickle
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest
from uv import find_uv_bin

REPOSITORY = Path(__file__).resolve().parents[2]
NEEDED = [
    "mldeploy/_bundle/components/compose.py",
    "mldeploy/_bundle/policy/PulumiPolicy.yaml",
    "mldeploy/_bundle/policy/mldeploy_policies/rule.py",
    "mldeploy/_bundle/serving/__main__.py",
    "mldeploy/_bundle/serving/pyproject.toml",
    "mldeploy/_bundle/serving/shims/core/azureml/core/model.py",
    "mldeploy/artifacts/runtimes/templates/sklearn.py",
    "mldeploy/imaging/scripts/check_base.py",
    "mldeploy/provider/bin/pulumi-resource-mldeploy",
    "mldeploy/py.typed",
]


def build(kind, folder, source=REPOSITORY):
    done = subprocess.run(
        [
            find_uv_bin(),
            "build",
            f"--{kind}",
            "--no-build-isolation",
            "--python",
            sys.executable,
            "-o",
            folder,
            source,
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return next(path for path in folder.iterdir() if path.suffix in (".whl", ".gz"))


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    # A copy: a build leaves its own folders in its source.
    source = tmp_path_factory.mktemp("source")
    for name in ("mldeploy", "components", "serving", "policy"):
        shutil.copytree(REPOSITORY / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "setup.py", "MANIFEST.in", "README.md", "LICENSE"):
        shutil.copy(REPOSITORY / name, source)
    sdist = build("sdist", tmp_path_factory.mktemp("sdist"), source)
    with tarfile.open(sdist) as archive:
        archive.extractall(source / "unpacked", filter="data")
    # From the sdist, as an index without wheels would have it built.
    return build("wheel", tmp_path_factory.mktemp("wheel"), next((source / "unpacked").iterdir()))


@pytest.fixture(scope="module")
def site(wheel, tmp_path_factory):
    folder = tmp_path_factory.mktemp("site")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder)
    return folder


def test_a_wheel_has_everything_under_one_name(wheel):
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        plugin = archive.getinfo("mldeploy/provider/bin/pulumi-resource-mldeploy")
    assert {name.partition("/")[0] for name in names} == {"mldeploy", "mldeploy-0.1.0.dist-info"}
    assert not set(NEEDED) - set(names)
    assert plugin.external_attr >> 16 & 0o111
    assert not [name for name in names if "__pycache__" in name]


def mldeploy(site, folder, *arguments, code=0):
    environment = {**os.environ, "PYTHONPATH": str(site), "MLDEPLOY_HOME": str(folder / "home")}
    done = subprocess.run(
        [sys.executable, "-m", "mldeploy", *arguments],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.mark.reliability  # everything is compiled anew
def test_an_empty_folder_becomes_a_plan(site, tmp_path):
    """Preview runs the program, with the components of the installation and not those of the project."""
    from sklearn.linear_model import Ridge

    (tmp_path / "churn.pkl").write_bytes(pickle.dumps(Ridge().fit([[0.0], [1.0]], [0.0, 1.0])))
    (tmp_path / "components").mkdir()
    (tmp_path / "components/__init__.py").write_text(
        "raise ImportError('the project has a folder of that name, too')"
    )
    mldeploy(site, tmp_path, "init", "churn.pkl")
    said = mldeploy(site, tmp_path, "preview", "--engine", "embedded")
    assert "+ churn on here" in said and "9 to create" in said, said


def test_what_is_missing_is_named(site, tmp_path):
    broken = shutil.copytree(site, tmp_path / "site")
    shutil.rmtree(broken / "mldeploy/_bundle/serving")
    (tmp_path / "manifest.yaml").write_text("version: 1\n")
    (tmp_path / "Pulumi.yaml").write_text("name: test\nruntime: python\n")
    said = mldeploy(broken, tmp_path, "validate", code=2)
    assert "serving/__main__.py is missing; install it again" in said
    said = mldeploy(broken, tmp_path, "doctor", code=1)
    assert re.search(r"PROBLEM +installation: .*serving", said), said
