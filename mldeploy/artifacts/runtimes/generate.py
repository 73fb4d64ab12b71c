"""The entry script and the conda file of a model that has none, written below the project's `build` folder.

They are ordinary files: images, environments and gates treat them as hand-written ones.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from mldeploy.artifacts.runtimes.plan import Plan

FOLDER: Final = "build/runtimes"
SCRIPT: Final = "score.py"
CONDA: Final = "conda.yml"
_TEMPLATES: Final = Path(__file__).parent / "templates"
_HELPER: Final = "payload.py"


@dataclass(frozen=True)
class Generated:
    """Where the files are."""

    source_directory: str
    """Relative to the project."""
    entry_script: str
    conda_file: str


def fill(root: Path, image: str, model: str, found: Plan, conda_file: Path | None = None) -> Generated:
    """Write the files of an image; what is there already and the same stays untouched.

    Args:
        root: The project's folder.
        image: The image's name in the manifest.
        model: The name of its model.
        found: How to score with it.
        conda_file: The packages that somebody wrote down, in place of the model's own.

    Raises:
        OSError: they cannot be written.
    """
    folder = f"{FOLDER}/{image}"
    texts = {
        SCRIPT: (_TEMPLATES / f"{found.runtime}.py").read_text("utf-8").replace("@MODEL@", model),
        _HELPER: (_TEMPLATES / _HELPER).read_text("utf-8"),
        CONDA: conda_file.read_text("utf-8") if conda_file else _conda(found),
    }
    for name, text in texts.items():
        path = root / folder / name
        if not path.is_file() or path.read_text("utf-8") != text:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, "utf-8")
    return Generated(folder, SCRIPT, CONDA)


def _conda(found: Plan) -> str:
    lines = ["dependencies:", "  - pip:", *(f"      - {package}" for package in found.packages)]
    return "\n".join(lines) + "\n"
