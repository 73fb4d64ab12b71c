"""Fixtures: a project with its state, run on the embedded engine, away from the machine's Pulumi settings."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.engine.conformance import PASSPHRASE, EmbeddedRunner, Workspace


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    """Nothing of the machine's Pulumi settings."""
    for name in ("PULUMI_BACKEND_URL", "PULUMI_CONFIG_PASSPHRASE_FILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PULUMI_CONFIG_PASSPHRASE", PASSPHRASE)
    monkeypatch.setenv("PULUMI_HOME", str(tmp_path / "pulumi-home"))
    monkeypatch.setenv("TP_PYTHON", sys.executable)


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    made = Workspace(tmp_path / "workspace")
    monkeypatch.setenv("TP_ROOT", str(made.objects_dir))
    return made


@pytest.fixture
def runner(workspace: Workspace) -> EmbeddedRunner:
    return EmbeddedRunner(workspace)
