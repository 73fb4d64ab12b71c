"""The samples for real engines, built without a network from wheels that are downloaded once."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from mldeploy.imaging import ContextModel, ContextSpec, render
from mldeploy.imaging.context import BuildContext
from tests.docker import daemon

REPOSITORY = Path(__file__).parents[2]
SOURCES = {"diabetes": "models/diabetes/sklearn_regression_model.pkl", "digits": "models/digits"}
OFFLINE = "mldeploy-test/offline:1"


def wheels(requirements: list[Path]) -> Path:
    """A folder with the packages of these requirement files, as wheels for the interpreter of the base image."""
    text = "".join(path.read_text() for path in requirements)
    folder = daemon.CACHE / f"wheels-{hashlib.sha256(text.encode()).hexdigest()[:12]}"
    if not (folder / "complete").exists():
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--only-binary=:all:"]
        command += ["--dest", str(folder), "--python-version", "3.11"]
        for platform in ("manylinux_2_28_x86_64", "manylinux_2_17_x86_64", "manylinux2014_x86_64"):
            command += ["--platform", platform]
        for path in requirements:
            command += ["--requirement", str(path)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
        if done.returncode:
            pytest.skip(f"needs the sample's packages: {done.stderr.strip().splitlines()[-1]}")
        (folder / "complete").touch()
    return folder


def copy_sample(name: str, root: Path) -> None:
    """The sample's script and model, in a project of its own."""
    for folder in (f"entry_scripts/{name}", f"models/{name}"):
        shutil.copytree(REPOSITORY / folder, root / folder, ignore=shutil.ignore_patterns("__pycache__"))


def offline_base(host: str, base_image: str) -> str:
    """A base image that brings the packages of the diabetes sample and a pip that looks for them there, so that what
    is built from a manifest needs no network. Returns its tag."""
    with tempfile.TemporaryDirectory(prefix="mldeploy-offline-") as folder:
        root = Path(folder)
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("MLDEPLOY_HOME", str(root / "home"))
            packages = Sample("diabetes", root, base_image).packages
        build = root / "build"
        shutil.copytree(packages, build / "wheels", ignore=shutil.ignore_patterns("complete"))
        (build / "pip.conf").write_text("[global]\nno-index = true\nfind-links = /wheels\n")
        text = f"FROM {base_image}\nCOPY wheels /wheels\nCOPY pip.conf /etc/pip.conf\n"
        (build / "Dockerfile").write_text(text)
        daemon.docker(host, "build", "--network", "none", "--tag", OFFLINE, str(build))
    return OFFLINE


class Sample:
    """One sample in a project of its own under ``root``."""

    def __init__(self, name: str, root: Path, base_image: str) -> None:
        self.name, self.root, self.base_image = name, root, base_image
        copy_sample(name, root)
        first = root / self.context(wheels=None).folder
        self.packages = wheels([first / "requirements.txt", first / "serving-requirements.txt"])
        shutil.copytree(self.packages, root / "wheels", ignore=shutil.ignore_patterns("complete"))

    def context(self, wheels: str | None = "wheels") -> BuildContext:
        """Render the build context as it is now."""
        model = ContextModel(name=self.name, version="1", source=SOURCES[self.name])
        spec = ContextSpec(
            image=self.name,
            source_directory=f"entry_scripts/{self.name}",
            entry_script="score.py",
            conda_file="conda.yml",
            base_image=self.base_image,
            models=[model],
            wheels=wheels,
        )
        return render(self.root, spec)

    def build(self, host: str, repository: str) -> str:
        """Build the context and return ``<repository>:<tag>``; the tag follows from the content."""
        context = self.context()
        reference = f"{repository}:{context.tag}"
        folder = str(self.root / context.folder)
        daemon.docker(host, "build", "--network", "none", "--tag", reference, folder)
        return reference
