"""What an engine is asked for and what it answers: the interface of both engines."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, Protocol


class Operation(StrEnum):
    """What an engine can be asked to do with a stack."""

    PREVIEW = "preview"
    UP = "up"
    REFRESH = "refresh"
    DESTROY = "destroy"


class EngineChoice(StrEnum):
    """The values of ``--engine``."""

    AUTO = "auto"
    PULUMI = "pulumi"
    EMBEDDED = "embedded"


@dataclass(frozen=True)
class RunOptions:
    """What both engines understand in the same way."""

    diff: bool = False
    refresh: bool = False
    expect_no_changes: bool = False
    parallel: int = 0
    targets: tuple[str, ...] = ()
    policy_packs: tuple[Path, ...] = ()
    json: bool = False
    events: Callable[[dict[str, Any]], None] | None = None
    """Takes the engine's events, in place of the terminal."""
    target_dependents: bool = False
    excludes: tuple[str, ...] = ()
    exclude_dependents: bool = False
    exclude_protected: bool = False
    replace: tuple[str, ...] = ()
    continue_on_error: bool = False
    policy_pack_configs: tuple[Path, ...] = ()
    ask: bool = False
    """Show the plan and ask the person at the terminal before anything changes."""
    apart: bool = False
    """For a preview that an update in this process follows: what the program leaves behind ends with the preview."""
    agreed: bool = False
    """A preview with these options came just before: the person agreed to it, and policies have spoken."""


@dataclass(frozen=True)
class Outcome:
    """How an operation ended; ``changes`` counts resources by what happened (create, update, replace, delete, same)."""

    ok: bool
    changes: dict[str, int] = field(default_factory=dict[str, int])
    error: str | None = None
    interrupted: bool = False
    """Whether somebody pressed Ctrl-C: running steps were finished, no new ones begun."""

    def summary(self) -> dict[str, Any]:
        """The last line of ``--json``."""
        counted = {
            name: self.changes.get(name, 0) for name in ("create", "update", "replace", "delete", "same")
        }
        return {
            "result": "succeeded" if self.ok else "failed",
            "changes": counted | {k: v for k, v in self.changes.items() if k not in counted},
        }

    @property
    def changed(self) -> bool:
        """Whether anything but ``same`` happened."""
        return any(count for name, count in self.changes.items() if name != "same")


class Runner(Protocol):
    """Carries out operations on one session's stack."""

    @property
    def name(self) -> str:
        """`pulumi` or `embedded`."""
        ...

    def run(self, operation: Operation, options: RunOptions) -> Outcome:
        """Carry out ``operation``, showing progress on the terminal (or events as JSON lines)."""
        ...
