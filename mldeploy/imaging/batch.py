"""The script that Azure ML's batch driver runs: it hands the files of a mini batch to the entry script."""

from __future__ import annotations

from pathlib import Path
from typing import Final

FOLDER: Final = "build/batch/adapter"
NAME: Final = "batch_adapter.py"


def write_adapter(root: Path) -> str:
    """Write the adapter under the project's `build` folder; returns its folder, relative to the project."""
    source = (Path(__file__).parent / "scripts" / NAME).read_text("utf-8")
    target = root / FOLDER / NAME
    target.parent.mkdir(parents=True, exist_ok=True)
    if not target.is_file() or target.read_text("utf-8") != source:
        target.write_text(source, "utf-8")
    return FOLDER
