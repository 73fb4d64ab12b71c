"""What targets of every type have in common."""

from __future__ import annotations

from mldeploy.manifest.base import LooseText, Section, Text


class Target(Section):
    """Where services run."""

    description: LooseText | None = None
    """What it is, for people."""
    type: Text
    """Which type of target it is; it decides which other keys there are."""
