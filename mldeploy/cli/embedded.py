"""The embedded engine as a runner."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import typer

from mldeploy.cli.operation import Operation, Outcome, RunOptions
from mldeploy.engine import Engine, Options
from mldeploy.engine.display import EventStream, make_display
from mldeploy.engine.display.base import Display
from mldeploy.session import Session


@dataclass(frozen=True)
class EmbeddedRunner:
    """Runs the engine in this process."""

    session: Session
    name: str = "embedded"

    def run(self, operation: Operation, options: RunOptions) -> Outcome:
        """See :class:`mldeploy.cli.operation.Runner`."""
        os.chdir(self.session.project)  # where the program runs under the CLI, too
        if options.ask:
            if operation is Operation.UP:
                planned = self._carry_out(Operation.PREVIEW, options)
                if not planned.ok or not planned.changed:
                    return planned
            if not typer.confirm(f"{operation.value} stack {self.session.stack!r}?"):
                raise typer.Abort
        return self._carry_out(operation, options)

    def _carry_out(self, operation: Operation, options: RunOptions) -> Outcome:
        display = _display(operation, options)
        engine = Engine(
            self.session.project,
            self.session.stack,
            backend_url=self.session.backend_url,
            passphrase=self.session.passphrase(),
            sink=display,
        )
        settings = Options(
            targets=list(options.targets),
            refresh=options.refresh,
            expect_no_changes=options.expect_no_changes,
            policy_packs=list(options.policy_packs),
        )
        if options.parallel:
            settings.parallel = options.parallel
        result = getattr(engine, operation.value)(settings)
        display.close(result)
        return Outcome(result.ok, result.changes, result.error, engine.interrupted)


class _Taken(Display):
    """Gives the events to whoever asked for them."""

    def __init__(self, operation: Operation, take: Callable[[dict[str, Any]], None]) -> None:
        super().__init__(operation.value)
        self._take = take

    def __call__(self, event: dict[str, Any]) -> None:
        self._take(event)


def _display(operation: Operation, options: RunOptions) -> Display:
    if options.events is not None:
        return _Taken(operation, options.events)
    return EventStream(sys.stdout) if options.json else make_display(operation.value, diff=options.diff)
