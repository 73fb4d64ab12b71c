"""The scoring server's own source: what environments and images are built with."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

import mldeploy
from mldeploy.artifacts.content import ContentError, Ignore, digest

IGNORED: Final = Ignore(["__pycache__/", "*.pyc", "*.egg-info/", "build/", "dist/", ".*"])


class ScoringServerError(ContentError):
    """The scoring server is not there, or has no such part."""


def package() -> Path:
    """The folder of the scoring server's package: beside this one in a checkout, else as installed.

    Raises:
        ScoringServerError: it is nowhere.
    """
    beside = Path(mldeploy.__file__).resolve().parent.parent / "serving"
    if (beside / "__main__.py").is_file():
        return beside
    raise ScoringServerError(f"the scoring server's package is missing: there is no {beside}/__main__.py")


def requirements(extras: Iterable[str] = ()) -> list[str]:
    """What the scoring server itself needs, with optional dependencies by name.

    Raises:
        ScoringServerError: it has no such optional dependencies.
    """
    project: Any = tomllib.loads((package() / "pyproject.toml").read_text())["project"]
    found, optional = set(project["dependencies"]), project.get("optional-dependencies", {})
    for extra in extras:
        if extra not in optional:
            raise ScoringServerError(
                f"serving extra {extra!r} is not known; there are {', '.join(sorted(optional))}"
            )
        found |= set(optional[extra])
    return sorted(found)


def source_digest() -> str:
    """The digest of the scoring server's source."""
    return digest(package(), IGNORED)
