"""The `pulumi` CLI as a runner."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from mldeploy.cli.operation import Operation, Outcome, RunOptions
from mldeploy.session import Session


@dataclass(frozen=True)
class PulumiRunner:
    """Runs the `pulumi` CLI as a child process in the project's folder."""

    session: Session
    executable: str
    name: str = "pulumi"

    def run(self, operation: Operation, options: RunOptions) -> Outcome:
        """See :class:`mldeploy.cli.operation.Runner`. The child's exit code decides; its summary event counts."""
        environment = {**os.environ, **self.session.environment(), "PATH": _path()}
        selected = self._select(environment)
        if selected is not None:
            return selected
        command = [self.executable, *self._arguments(operation, options)]
        if not options.json and options.events is None:
            standard_input = None if options.ask else subprocess.DEVNULL
            with _interrupts_are_the_childs() as interrupted:
                done = subprocess.run(
                    command, cwd=self.session.project, env=environment, stdin=standard_input, check=False
                )
            return Outcome(done.returncode == 0, interrupted=bool(interrupted))
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
        with _interrupts_are_the_childs() as interrupted:
            changes = _relay(process, options.events)
            return Outcome(process.wait() == 0, changes, interrupted=bool(interrupted))

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
                yield "--yes"
                if options.agreed or not options.policy_packs:  # Policies speak before anything changes.
                    yield "--skip-preview"
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
        for flag in ("target-dependents", "exclude-dependents", "exclude-protected", "continue-on-error"):
            if getattr(options, flag.replace("-", "_")):
                yield f"--{flag}"
        repeated: tuple[tuple[str, tuple[str | Path, ...]], ...] = (
            ("--target", options.targets),
            ("--exclude", options.excludes),
            ("--replace", options.replace),
            ("--policy-pack", options.policy_packs),
            ("--policy-pack-config", options.policy_pack_configs),
        )
        for flag, values in repeated:
            for value in values:
                yield from (flag, str(value))


@contextmanager
def _interrupts_are_the_childs() -> Generator[list[int]]:
    """Ctrl-C goes to the CLI as well, which finishes its running steps: wait for it, and remember the key."""
    pressed: list[int] = []
    if threading.current_thread() is not threading.main_thread():
        yield pressed
        return
    previous = signal.signal(signal.SIGINT, lambda number, _: pressed.append(number))
    try:
        yield pressed
    finally:
        signal.signal(signal.SIGINT, previous)


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
