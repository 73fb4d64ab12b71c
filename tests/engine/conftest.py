"""Fixtures: a project with its state, run on the embedded engine."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.engine.conformance import PASSPHRASE, EmbeddedRunner, Workspace


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path / "w")


@pytest.fixture
def runner(workspace: Workspace) -> EmbeddedRunner:
    return EmbeddedRunner(workspace)


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch, workspace: Workspace):
    """Nothing of the machine's Pulumi settings."""
    for name in (
        "PULUMI_BACKEND_URL",
        "PULUMI_CONFIG_PASSPHRASE",
        "PULUMI_CONFIG_PASSPHRASE_FILE",
        "PULUMI_HOME",
    ):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PULUMI_CONFIG_PASSPHRASE", PASSPHRASE)
    monkeypatch.setenv("PULUMI_HOME", str(workspace.folder / "pulumi-home"))
    monkeypatch.setenv("TP_ROOT", str(workspace.objects_dir))
    import sys

    monkeypatch.setenv("TP_PYTHON", sys.executable)
