"""Entry scripts that no Python can read: said with the line, before anything is made."""

from __future__ import annotations

import ast
import platform
import warnings
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

from packaging.specifiers import SpecifierSet

from mldeploy.artifacts import conda
from mldeploy.manifest.draft import Draft
from mldeploy.manifest.validation import Fault


def check(draft: Draft, root: Path) -> Iterator[Fault]:
    """Syntax errors. A script for another Python than the one that runs this is left to that one."""
    for name, image in draft.images.items():
        folder = root / image.source_directory
        script = folder / image.entry_script
        if script.suffix != ".py" or not script.is_file():
            continue  # reported as a path
        fault = _fault(script, script.stat().st_mtime_ns)
        if fault and _same_python(folder / image.conda_file if image.conda_file else None):
            shown = f"{image.source_directory.rstrip('/')}/{image.entry_script}"
            yield Fault(("images", name, "entry_script"), f"{shown}:{fault}")


@lru_cache(maxsize=512)
def _fault(script: Path, changed: int) -> str | None:
    """`<line>: <what>`; ``changed`` is the file's time, for the cache."""
    del changed
    try:
        with warnings.catch_warnings(action="ignore"):  # invalid escapes are the script's own affair
            ast.parse(script.read_bytes())
    except SyntaxError as error:
        return f"{error.lineno or 1}: {error.msg}"
    except (OSError, ValueError) as error:  # ValueError: a NUL character
        return f"1: {error}"
    return None


def _same_python(conda_file: Path | None) -> bool:
    if conda_file is None or not conda_file.is_file():
        return True
    return platform.python_version() in SpecifierSet(conda.read(conda_file, conda_file.name).python)
