"""The files that the manifests of these tests name."""

from __future__ import annotations

import os
from pathlib import Path

FILES = (
    "models/m.pkl",
    "models/folder/weights.bin",
    "scripts/score.py",
    "scripts/conda.yml",
    "scripts/readme.txt",
    "golden/in.json",
    "golden/out.json",
)


def make_project(folder: Path) -> Path:
    """A project in ``folder`` with every file, and with links that lead nowhere or out of it."""
    root = folder / "project"
    for name in FILES:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("{}")
    (root / "scripts/of_v1.yaml").write_text(
        "dependencies:\n- python=3.6.2\n- cudatoolkit=11\n- numpy\n- scikit-learn=0.22.2.post1\n"
    )
    (root / "scripts/with_tab.yaml").write_text("dependencies:\n\t- numpy\n")
    outside = folder / "outside"
    outside.mkdir()
    links = root / "links"
    links.mkdir()
    (links / "out").symlink_to("../../outside")
    (links / "dangling").symlink_to("../models/gone.pkl")
    (links / "loop").symlink_to("loop")
    os.mkfifo(links / "pipe")
    return root
