"""The two engines behind one interface: the `pulumi` CLI, and the embedded engine where there is none."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, Protocol, cast

from mldeploy.session import Session, UsageError


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
    ask: bool = False
    """Show the plan and ask the person at the terminal before anything changes."""


@dataclass(frozen=True)
class Outcome:
    """How an operation ended; ``changes`` counts resources by what happened (create, update, replace, delete, same)."""

    ok: bool
    changes: dict[str, int] = field(default_factory=dict[str, int])
    error: str | None = None

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


def choose(session: Session, choice: EngineChoice) -> Runner:
    """The runner for ``--engine``.

    Raises:
        UsageError: ``pulumi`` was asked for and is not on PATH.
    """
    installed = shutil.which("pulumi")
    if choice is EngineChoice.PULUMI and not installed:
        raise UsageError("--engine pulumi: there is no `pulumi` on PATH; install it or use --engine embedded")
    if installed and choice is not EngineChoice.EMBEDDED:
        return PulumiRunner(session, installed)
    from mldeploy.cli.embedded import EmbeddedRunner

    return EmbeddedRunner(session)


@dataclass(frozen=True)
class PulumiRunner:
    """Runs the `pulumi` CLI as a child process in the project's folder."""

    session: Session
    executable: str
    name: str = "pulumi"

    def run(self, operation: Operation, options: RunOptions) -> Outcome:
        """See :class:`Runner`. The child's exit code decides; the counts are those of its summary event."""
        environment = {**os.environ, **self.session.environment(), "PATH": _path()}
        selected = self._select(environment)
        if selected is not None:
            return selected
        command = [self.executable, *self._arguments(operation, options)]
        if not options.json and options.events is None:
            standard_input = None if options.ask else subprocess.DEVNULL
            done = subprocess.run(
                command, cwd=self.session.project, env=environment, stdin=standard_input, check=False
            )
            return Outcome(done.returncode == 0)
        environment["PULUMI_ENABLE_STREAMING_JSON_PREVIEW"] = "true"
        process = subprocess.Popen(
            command,
            cwd=self.session.project,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            text=True,
            encoding="utf-8",
        )
        changes = _relay(process, options.events)
        return Outcome(process.wait() == 0, changes)

    def _select(self, environment: dict[str, str]) -> Outcome | None:
        """Make the stack when it is new. Returns an outcome only when that failed."""
        command = [self.executable, "stack", "select", "--create", self.session.stack]
        command += ["--secrets-provider", "passphrase", "--non-interactive"]
        process = subprocess.run(
            command,
            cwd=self.session.project,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        if process.returncode == 0:
            return None
        message = (process.stderr or process.stdout).strip()
        print(message, file=sys.stderr)
        return Outcome(ok=False, error=message)

    def _arguments(self, operation: Operation, options: RunOptions) -> Iterator[str]:
        yield operation.value
        yield from ("--stack", self.session.stack)
        if not options.ask:
            yield "--non-interactive"
            if operation is not Operation.PREVIEW:
                yield from ("--yes", "--skip-preview")
        if options.json or options.events is not None:
            yield "--json"
        if options.diff:
            yield "--diff"
        if options.refresh:
            yield "--refresh"
        if options.expect_no_changes:
            yield "--expect-no-changes"
        if options.parallel:
            yield from ("--parallel", str(options.parallel))
        for target in options.targets:
            yield from ("--target", target)
        for pack in options.policy_packs:
            yield from ("--policy-pack", str(pack))


def _path() -> str:
    """PATH with this command's Python first, as it has what the program imports, and with our provider at the end.

    So a project needs neither a virtual environment of its own nor to say where the provider's executable is.
    """
    import mldeploy

    provider = Path(mldeploy.__file__).parent / "provider/bin"
    return os.pathsep.join(
        [str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath), str(provider)]
    )


def _relay(
    process: subprocess.Popen[str], take: Callable[[dict[str, Any]], None] | None = None
) -> dict[str, int]:
    """Print the engine events of a child (or give them to ``take``), one a line; return what its summary counts."""
    changes: dict[str, int] = {}
    for line in process.stdout or ():
        try:
            event: Any = json.loads(line)
        except ValueError:
            print(line, end="", file=sys.stderr)
            continue
        if take is None:
            print(line, end="")
        elif isinstance(event, dict):
            take(cast("dict[str, Any]", event))
        if isinstance(event, dict) and "summaryEvent" in event:
            counted: dict[Any, Any] = cast("Any", event)["summaryEvent"].get("resourceChanges") or {}
            changes = {str(k): int(v) for k, v in counted.items()}
    return changes
