"""Errors point at what was written, in the file where it was written."""

from __future__ import annotations

from pathlib import Path

import pytest

from mldeploy.manifest import ManifestError, ManifestErrors, load
from tests.manifest.project import make_project

BASE = """\
version: 1
models:
  m: {source: models/m.pkl}
images:
  i:
    models:
      - m
      - x
    source_directory: scripts
    entry_script: score.py
targets:
  here: {type: local}
services:
  s:
    image: i
    target: here
    port: 8001
    ssl:
      cert: {env: CERT}
"""


def errors_of(tmp_path: Path, base: str, over: str | None = None) -> list[ManifestError]:
    root = make_project(tmp_path)
    (root / "manifest.yaml").write_text(base, encoding="utf-8")
    if over is not None:
        (root / "manifest.dev.yaml").write_text(over, encoding="utf-8")
    with pytest.raises(ManifestErrors) as caught:
        load(root, "dev")
    return list(caught.value.errors)


def places(errors: list[ManifestError]) -> list[tuple[str, int, int, str]]:
    return [(error.file, error.line, error.column, error.path) for error in errors]


def test_items_and_missing_keys(tmp_path: Path) -> None:
    assert places(errors_of(tmp_path, BASE)) == [
        ("manifest.yaml", 8, 9, "images.i.models[1]"),
        ("manifest.yaml", 18, 5, "services.s.ssl.key"),
    ]


def test_a_value_of_the_overlay_is_at_fault_there(tmp_path: Path) -> None:
    over = "services:\n  s:\n    port: 0\n    ssl: {cert: null}\nimages:\n  i: {models: [m, y]}\n"
    assert places(errors_of(tmp_path, BASE, over)) == [
        ("manifest.yaml", 18, 5, "services.s.ssl"),
        ("manifest.dev.yaml", 3, 5, "services.s.port"),
        ("manifest.dev.yaml", 6, 19, "images.i.models[1]"),
    ]


def test_an_entry_of_the_overlay_is_missing_keys_there(tmp_path: Path) -> None:
    over = "images:\n  i: {models: [m]}\nservices:\n  s: {ssl: null}\n  t: {target: here, port: 8002}\n"
    assert places(errors_of(tmp_path, BASE, over)) == [("manifest.dev.yaml", 5, 3, "services.t.image")]


def test_faults_of_an_alias_are_where_its_anchor_is(tmp_path: Path) -> None:
    base = "version: 1\nx-a: &a\n  source: models/gone.pkl\nmodels:\n  m: *a\n"
    assert places(errors_of(tmp_path, base)) == [("manifest.yaml", 3, 3, "models.m.source")]


def test_columns_count_characters(tmp_path: Path) -> None:
    base = "version: 1\nmodels: {m: {description: héllo wörld, source: models/gone.pkl}}\n"
    assert places(errors_of(tmp_path, base)) == [("manifest.yaml", 2, 40, "models.m.source")]


def test_order_is_by_file_then_line(tmp_path: Path) -> None:
    over = "services:\n  s: {prot: 1}\nmodels:\n  m: {source: 5.0}\n"
    found = errors_of(tmp_path, BASE, over)
    assert [(error.file, error.line) for error in found] == sorted(
        ((error.file, error.line) for error in found),
        key=lambda place: (place[0] != "manifest.yaml", place[1]),
    )
    assert {error.file for error in found} == {"manifest.yaml", "manifest.dev.yaml"}


def test_text_of_an_error() -> None:
    error = ManifestError(
        "manifest.dev.yaml", 14, 5, "services.churn.target", 'no target "prd" (did you mean "prod"?)'
    )
    assert (
        str(error) == 'manifest.dev.yaml:14:5: services.churn.target: no target "prd" (did you mean "prod"?)'
    )
    assert str(ManifestError("manifest.yaml", 0, 0, "", "does not exist")) == "manifest.yaml: does not exist"
    assert str(ManifestErrors([error, error])).count("\n") == 1


@pytest.mark.parametrize("stack", ["", "../other", "a/b", ".hidden", "a..b", "x\n"])
def test_names_of_stacks(tmp_path: Path, stack: str) -> None:
    (tmp_path / "manifest.yaml").write_text("version: 1\n")
    with pytest.raises(ManifestErrors, match="is no stack's name"):
        load(tmp_path, stack)


def test_unreadable_files(tmp_path: Path) -> None:
    (tmp_path / "manifest.yaml").mkdir()
    with pytest.raises(ManifestErrors, match=r"^manifest\.yaml: is no regular file$"):
        load(tmp_path, "dev")
    (tmp_path / "manifest.yaml").rmdir()
    (tmp_path / "manifest.yaml").symlink_to("gone.yaml")
    with pytest.raises(ManifestErrors, match=r"^manifest\.yaml: is a dangling link$"):
        load(tmp_path, "dev")
    (tmp_path / "manifest.yaml").unlink()
    (tmp_path / "manifest.yaml").write_bytes(b"# " + b"x" * (4 * 1024 * 1024))
    with pytest.raises(ManifestErrors, match=r"^manifest\.yaml: has 4\.0 MiB; a manifest has at most 4 MiB$"):
        load(tmp_path, "dev")
