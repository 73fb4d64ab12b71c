"""Paths that are fine, and how they are seen."""

from __future__ import annotations

from pathlib import Path

import pytest

from mldeploy.manifest.rules.paths import Project
from tests.manifest.project import make_project


@pytest.fixture
def project(tmp_path: Path) -> Project:
    root = make_project(tmp_path)
    (root / "links" / "inside").symlink_to("../models")
    (root / "links" / "parent").symlink_to("..")
    return Project(root)


@pytest.mark.parametrize(
    ("folder", "value"),
    [
        ("", "models/m.pkl"), ("", "./models/m.pkl"), ("", "models/folder/"), ("", "models/../models/m.pkl"),
        ("", "links/inside/m.pkl"), ("", "links/inside"), ("", "."), ("", "links/parent/models/m.pkl"),
        ("scripts", "score.py"), ("scripts/", "./score.py"), (".", "scripts/score.py"), ("links/inside", "m.pkl"),
    ],
)  # fmt: skip
def test_allowed(project: Project, folder: str, value: str) -> None:
    assert project.problem(folder, value, "either") is None


@pytest.mark.parametrize(
    "value",
    ["links/out", "links/out/../outside", "links/inside/../../outside", "links/out/.", "links/parent/.."],
)
def test_links_and_steps_back_do_not_lead_out(project: Project, value: str) -> None:
    message = project.problem("", value, "either")
    assert message is not None
    assert "leads out of the project through a link" in message


def test_a_file_behind_a_link_out(project: Project, tmp_path: Path) -> None:
    (tmp_path / "outside" / "m.pkl").touch()
    assert project.problem("", "links/out/m.pkl", "file") == (
        '"links/out/m.pkl" leads out of the project through a link; copy it into the project'
    )
    assert project.problem("links/out", "m.pkl", "file") is not None


def test_a_project_behind_a_link(tmp_path: Path) -> None:
    root = make_project(tmp_path)
    (tmp_path / "alias").symlink_to(root)
    assert Project(tmp_path / "alias").problem("", "models/m.pkl", "file") is None
