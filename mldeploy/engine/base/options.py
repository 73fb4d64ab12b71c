"""Options of an operation, and what it came to."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(slots=True, kw_only=True)
class Options:
    """What the user asked for beyond the program.

    `parallel`: resource operations at a time (1 = serial). `targets`, `replace`, `excludes`: URNs, `*` within a part
    and `**` across parts. `exclude_protected` (destroy): leave protected resources alone, and what they need.
    `refresh`: read every resource first. `expect_no_changes`: changes are an error.
    """

    parallel: int = 16
    targets: list[str] = field(default_factory=list[str])
    excludes: list[str] = field(default_factory=list[str])
    replace: list[str] = field(default_factory=list[str])
    target_dependents: bool = False
    exclude_dependents: bool = False
    exclude_protected: bool = False
    refresh: bool = False
    expect_no_changes: bool = False
    continue_on_error: bool = False
    policy_packs: list[Path] = field(default_factory=list[Path])
    policy_pack_configs: list[Path] = field(default_factory=list[Path])
    message: str = ""
    plugin_timeout: float = 60.0


@dataclass(slots=True)
class Result:
    """How an operation ended. `changes` counts resources by operation, as the CLI's summary does."""

    ok: bool
    changes: dict[str, int] = field(default_factory=dict[str, int])
    outputs: dict[str, Any] = field(default_factory=dict[str, Any])
    error: str = ""
    duration: float = 0.0
    steps: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])


class UrnTargets:
    """A set of URNs and URN patterns; empty means everything."""

    def __init__(self, patterns: list[str]) -> None:
        self.literals = {p for p in patterns if "*" not in p}
        self._globs = [re.compile(_regex(p)) for p in patterns if "*" in p]

    @property
    def constrained(self) -> bool:
        """Whether anything was named at all."""
        return bool(self.literals or self._globs)

    def contains(self, urn: str) -> bool:
        """Whether the URN is meant; everything is when nothing was named."""
        if not self.constrained:
            return True
        return urn in self.literals or any(g.match(urn) for g in self._globs)

    def add(self, urn: str) -> None:
        """Mean this one too."""
        self.literals.add(urn)

    def copy(self) -> UrnTargets:
        """A copy to add to."""
        other = UrnTargets([])
        other.literals = set(self.literals)
        other._globs = self._globs
        return other


def _regex(pattern: str) -> str:
    parts = re.split(r"(\*\*|\*)", pattern)
    out = "".join(".*" if p == "**" else "[^:]*" if p == "*" else re.escape(p) for p in parts)
    return f"^{out}$"
