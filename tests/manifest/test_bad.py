"""Every fault has a folder: the manifest files, and beside them exactly what is said about them."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from mldeploy.manifest import ManifestErrors, load
from tests.manifest.project import make_project

BAD = Path(__file__).parent / "bad"
FAULTS = sorted(folder.name for folder in BAD.iterdir())


def test_many_faults_are_covered() -> None:
    assert len(FAULTS) >= 150


@pytest.mark.parametrize("fault", FAULTS)
def test_fault(fault: str, tmp_path: Path) -> None:
    root = make_project(tmp_path)
    for file in (BAD / fault).iterdir():
        if file.name != "expected.txt":
            shutil.copy(file, root)
    with pytest.raises(ManifestErrors) as caught:
        load(root, "dev")
    assert str(caught.value) + "\n" == (BAD / fault / "expected.txt").read_text("utf-8")
    assert str(tmp_path) not in str(caught.value)


@pytest.mark.parametrize(
    "fault", [name for name in FAULTS if name.startswith(("secret-", "key-in-", "registry-password"))]
)
def test_secrets_are_never_repeated(fault: str) -> None:
    expected = (BAD / fault / "expected.txt").read_text("utf-8")
    for secret in (
        "hunter2",
        "aVerySecretKey",
        "MIIEow",
        "Zm9v",
        "me:secret",
        "ghp_",
        "correct-horse",
        "1234.5",
    ):
        assert secret not in expected
