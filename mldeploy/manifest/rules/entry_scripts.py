"""Entry scripts that cannot start: no Python, or imports that nothing has any more; said before anything is made."""

from __future__ import annotations

import platform
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

from packaging.specifiers import SpecifierSet

from mldeploy.artifacts import conda
from mldeploy.artifacts.script_imports import gone_of
from mldeploy.manifest.draft import Draft
from mldeploy.manifest.validation import Fault


def check(draft: Draft, root: Path) -> Iterator[Fault]:
    """Syntax errors, and imports that are gone. A script for another Python than this one is left to that one."""
    for name, image in draft.images.items():
        folder = root / image.source_directory
        script = folder / image.entry_script
        if script.suffix != ".py" or not script.is_file():
            continue  # reported as a path
        if not _same_python(folder / image.conda_file if image.conda_file else None):
            continue
        for fault in _faults(script, folder, script.stat().st_mtime_ns):
            yield Fault(("images", name, "entry_script"), f"{image.source_directory.rstrip('/')}/{fault}")


@lru_cache(maxsize=512)
def _faults(script: Path, folder: Path, changed: int) -> list[str]:
    """`score.py:<line>: <what>`; ``changed`` is the file's time, for the cache."""
    del changed
    shown = script.relative_to(folder).as_posix()
    try:
        return [
            f"{path.relative_to(folder).as_posix()}:{one.line}: {one.name} cannot be imported: {said}"
            for path, one, said in gone_of(script, folder)
        ]
    except SyntaxError as error:
        return [f"{shown}:{error.lineno or 1}: {error.msg}"]
    except (OSError, ValueError) as error:  # ValueError: a NUL character
        return [f"{shown}:1: {error}"]


def _same_python(conda_file: Path | None) -> bool:
    if conda_file is None or not conda_file.is_file():
        return True
    return platform.python_version() in SpecifierSet(conda.read(conda_file, conda_file.name).python)
