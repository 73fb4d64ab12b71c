"""The embedded engine as a runner."""

from __future__ import annotations

import multiprocessing
import os
import signal
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
        if operation is Operation.UP and (options.ask or options.policy_packs):
            # Policies speak before anything changes, and a person sees the plan.
            planned = _apart(lambda: self._carry_out(Operation.PREVIEW, options))
            if not planned.ok or (options.ask and not planned.changed):
                return planned
        if options.ask and not typer.confirm(f"{operation.value} stack {self.session.stack!r}?"):
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
            policy_pack_configs=list(options.policy_pack_configs),
            target_dependents=options.target_dependents,
            excludes=list(options.excludes),
            exclude_dependents=options.exclude_dependents,
            exclude_protected=options.exclude_protected,
            replace=list(options.replace),
            continue_on_error=options.continue_on_error,
        )
        if options.parallel:
            settings.parallel = options.parallel
        result = getattr(engine, operation.value)(settings)
        display.close(result)
        return Outcome(result.ok, result.changes, result.error, engine.interrupted)


def _apart(work: Callable[[], Outcome]) -> Outcome:
    """Do it in a process of its own, as the CLI does: what the program leaves behind ends with it.

    Nothing has been started in this process yet that a fork could tear apart. Ctrl-C reaches the child by itself.
    """
    context = multiprocessing.get_context("fork")
    receiver, sender = context.Pipe(duplex=False)

    def child() -> None:
        sender.send(work())

    sys.stdout.flush()
    process = context.Process(target=child)
    process.start()
    sender.close()
    previous = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        outcome: Outcome = receiver.recv()
    except EOFError:
        outcome = Outcome(ok=False, error="the preview ended without an answer")
    finally:
        process.join()
        signal.signal(signal.SIGINT, previous)
    return outcome


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
