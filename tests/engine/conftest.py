"""Fixtures: a project with its state, run on the embedded engine, away from the machine's Pulumi settings."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from mldeploy.engine.base import files
from mldeploy.engine.project import secrets
from tests.engine.conformance import PASSPHRASE, EmbeddedRunner, Workspace


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    """Nothing of the machine's Pulumi settings."""
    for name in ("PULUMI_BACKEND_URL", "PULUMI_CONFIG_PASSPHRASE_FILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PULUMI_CONFIG_PASSPHRASE", PASSPHRASE)
    monkeypatch.setenv("PULUMI_HOME", str(tmp_path / "pulumi-home"))
    monkeypatch.setenv("TP_PYTHON", sys.executable)


@pytest.fixture(autouse=True)
def hurried(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch):
    """Keys are derived quickly and disks are not waited for, but where that is what a test is about.

    With the CLI the rounds are Pulumi's: both engines have the same passphrase.
    """
    if request.node.get_closest_marker("pulumi") is None and "pulumis_rounds" not in request.fixturenames:
        monkeypatch.setattr(secrets, "ROUNDS", 1000)
    if request.path.stem != "test_crash":
        monkeypatch.setattr(files, "fsync", lambda _descriptor: None)


@pytest.fixture
def pulumis_rounds():
    """Keys as Pulumi derives them."""


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    made = Workspace(tmp_path / "workspace")
    monkeypatch.setenv("TP_ROOT", str(made.objects_dir))
    return made


@pytest.fixture
def runner(workspace: Workspace) -> EmbeddedRunner:
    return EmbeddedRunner(workspace)
