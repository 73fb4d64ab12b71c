"""The scoring server's own source: what environments and images are built with."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

from mldeploy import parts
from mldeploy.artifacts.content import ContentError, Ignore, digest

IGNORED: Final = Ignore(["__pycache__/", "*.pyc", "*.egg-info/", "build/", "dist/", ".*"])


class ScoringServerError(ContentError):
    """The scoring server is not there, or has no such part."""


def package() -> Path:
    """The folder of the scoring server's package.

    Raises:
        ScoringServerError: it is nowhere.
    """
    try:
        return parts.part("serving")
    except parts.MissingPartError as problem:
        raise ScoringServerError(str(problem)) from None


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
