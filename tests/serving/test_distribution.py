"""The server's packages and files are everywhere it is run from: the wheel, a machine's copy, an image's context."""

from __future__ import annotations

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from mldeploy.artifacts.content import entries
from mldeploy.artifacts.scoring_server import source_digest
from mldeploy.imaging import ContextSpec, render
from mldeploy.provider.local.environments import Environments
from tests.serving.replica import ROOT

SOURCE = ROOT / "serving"


def wanted() -> set[str]:
    """Every file of the package, as `serving/…`."""
    names = {entry.name for entry in entries(SOURCE)}
    # What tools leave in a checkout is no part of it.
    names = {n for n in names if not n.startswith((".", "build/", "dist/", "mldeploy_serving.egg-info/"))}
    names = {n for n in names if "__pycache__" not in n}
    assert {"batch/worker.py", "docs_ui/assets/LICENSE", "docs_ui/assets/swagger-ui-bundle.js.gz"} <= names
    return {f"serving/{name}" for name in names}


def files(folder: Path) -> set[str]:
    found = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    return {name for name in found if name.startswith("serving/")}


@pytest.fixture(autouse=True)
def own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLDEPLOY_HOME", str(tmp_path / "home"))


def test_the_copy_that_services_run_is_whole() -> None:
    content = source_digest()
    environments = Environments()
    environments.add_serving(content, "a-test")
    assert files(environments.serving_path(content)) == wanted()
    environments.release_serving(content, "a-test")


def test_the_context_of_an_image_is_whole(tmp_path: Path) -> None:
    (tmp_path / "scripts").mkdir()
    (tmp_path / "scripts/score.py").write_text("")
    spec = ContextSpec(image="one", source_directory="scripts", entry_script="score.py")
    folder = tmp_path / render(tmp_path, spec).folder
    assert files(folder) == wanted()
    assets = "serving/docs_ui/assets/swagger-ui-bundle.js.gz"
    assert (folder / assets).read_bytes() == (ROOT / assets).read_bytes()


def test_the_wheel_is_whole(tmp_path: Path) -> None:
    shutil.copytree(
        SOURCE, tmp_path / "s", ignore=shutil.ignore_patterns("__pycache__", "build", ".*", "*.egg-info")
    )
    code = "import sys, setuptools.build_meta as b; b.build_wheel(sys.argv[1])"
    subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)],
        cwd=tmp_path / "s",
        check=True,
        capture_output=True,
        timeout=120,
    )
    with zipfile.ZipFile(next(tmp_path.glob("*.whl"))) as wheel:
        packed = {name for name in wheel.namelist() if name.startswith("serving/")}
    assert packed == wanted() - {"serving/pyproject.toml"}
