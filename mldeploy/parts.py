"""The parts that stand beside this package in a checkout and inside it where it is installed."""

from __future__ import annotations

import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

_PACKAGE: Final = Path(__file__).resolve().parent
_BUNDLE: Final = _PACKAGE / "_bundle"
_PARTS: Final = {
    "components": "compose.py",
    "serving": "__main__.py",
    "policy": "PulumiPolicy.yaml",
}
"""Each with a file that it cannot be without."""


class MissingPartError(Exception):
    """The installation is not complete."""


def part(name: str) -> Path:
    """The folder of a part: `components`, `serving` or `policy`.

    Raises:
        MissingPartError: it is nowhere.
    """
    for folder in (_BUNDLE / name, _PACKAGE.parent / name):
        if (folder / _PARTS[name]).is_file():
            return folder
    raise MissingPartError(
        f"the installation of mldeploy in {_PACKAGE} is not complete: "
        f"{name}/{_PARTS[name]} is missing; install it again"
    )


def missing() -> list[str]:
    """What is wrong with the installation, a line each."""
    found: list[str] = []
    for name in _PARTS:
        try:
            part(name)
        except MissingPartError as problem:
            found.append(str(problem))
    return found


@contextmanager
def importable(name: str) -> Generator[None]:
    """In it, a part can be imported by its name, whatever the project has of that name."""
    folder = str(part(name).parent)
    sys.path.insert(0, folder)
    try:
        yield
    finally:
        sys.path.remove(folder)
