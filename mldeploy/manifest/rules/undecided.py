"""Places that `mldeploy import-v1` left to a person."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, cast

from mldeploy.manifest.draft import Draft
from mldeploy.manifest.nodes import Path as NodePath
from mldeploy.manifest.validation import Fault

PLACEHOLDER: Final = "CHANGE-ME"
"""Stands in a migrated manifest for what v1's files do not say."""


def check(draft: Draft, root: Path) -> Iterator[Fault]:  # noqa: ARG001
    """Every text that still has the placeholder. A folder of that name is missed by the rule about paths."""
    yield from _walk(draft.raw, ())


def _walk(value: Any, path: NodePath) -> Iterator[Fault]:
    if isinstance(value, dict):
        for key, item in cast("dict[str, Any]", value).items():
            yield from _walk(item, (*path, key))
    elif isinstance(value, list):
        for index, item in enumerate(cast("list[Any]", value)):
            yield from _walk(item, (*path, index))
    elif isinstance(value, str) and PLACEHOLDER in value and path[-1] != "source_directory":
        yield Fault(path, f"is still to be decided: write a value in place of {PLACEHOLDER}")
