"""Tools that tests run in environments of their own, because their packages must not meet this project's."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import uv


class UnavailableError(Exception):
    """The tool cannot be had; the message says why."""


def environment(name: str, packages: tuple[str, ...]) -> Path:
    """A virtual environment with these packages, made at the first call and kept in the user's cache."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "mldeploy" / "tests"
    folder = cache / f"{name}-py{sys.version_info[0]}{sys.version_info[1]}"
    done = folder / "complete"
    if done.exists() and done.read_text() == "\n".join(packages):
        return folder
    cache.mkdir(parents=True, exist_ok=True)
    tool = uv.find_uv_bin()
    for command in (
        [tool, "venv", "--quiet", "--clear", "--python", sys.executable, str(folder)],
        [tool, "pip", "install", "--quiet", "--python", str(folder / "bin/python"), *packages],
    ):
        result = subprocess.run(command, capture_output=True, text=True, timeout=240, check=False)
        if result.returncode:
            raise UnavailableError(f"{name} cannot be installed: {result.stderr[-300:]}")
    done.write_text("\n".join(packages))
    return folder
