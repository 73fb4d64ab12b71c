"""What the type of each target says about it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from mldeploy.manifest.draft import Draft
from mldeploy.manifest.kinds import kind
from mldeploy.manifest.validation import Fault


def check(draft: Draft, root: Path) -> Iterator[Fault]:  # noqa: ARG001
    """Settings of one target that depend on each other, and on the services there."""
    for name, target in draft.targets.items():
        yield from kind(target.type).check_target(draft, name, target)
