"""The embedded engine as a runner."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, TextIO

import typer

from mldeploy.cli.live import services_display
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
        if options.apart:
            return self._apart(operation, options)
        if operation is Operation.UP and (options.ask or (options.policy_packs and not options.agreed)):
            # Policies speak before anything changes, and a person sees the plan.
            planned = self._apart(Operation.PREVIEW, options)
            if not planned.ok or (options.ask and not planned.changed):
                return planned
        if options.ask and not typer.confirm(f"{operation.value} stack {self.session.stack!r}?"):
            raise typer.Abort
        return self._carry_out(operation, options)

    def _apart(self, operation: Operation, options: RunOptions) -> Outcome:
        """Do it in a process of its own, as the CLI does: what the program leaves behind ends with it.

        Nothing has been started in this process yet that a fork could tear apart. Ctrl-C reaches the child by itself.
        """
        context = multiprocessing.get_context("fork")
        receiver, sender = context.Pipe(duplex=False)

        def child() -> None:
            seen: list[dict[str, Any]] = []
            taken = options if options.events is None else replace(options, events=seen.append)
            outcome = self._carry_out(operation, taken)
            sender.send((outcome, seen))

        sys.stdout.flush()
        process = context.Process(target=child)
        process.start()
        sender.close()
        previous = signal.signal(signal.SIGINT, signal.SIG_IGN)
        events: list[dict[str, Any]] = []
        try:
            outcome, events = receiver.recv()
        except EOFError:
            outcome = Outcome(ok=False, error="the preview ended without an answer")
        finally:
            process.join()
            signal.signal(signal.SIGINT, previous)
        if options.events is not None:
            for event in events:
                options.events(event)
        return outcome

    def _carry_out(self, operation: Operation, options: RunOptions) -> Outcome:
        with _documents(options) as stream:
            return self._run_engine(operation, options, _display(operation, options, stream))

    def _run_engine(self, operation: Operation, options: RunOptions, display: Display) -> Outcome:
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


class _Taken(Display):
    """Gives the events to whoever asked for them."""

    def __init__(self, operation: Operation, take: Callable[[dict[str, Any]], None]) -> None:
        super().__init__(operation.value)
        self._take = take

    def __call__(self, event: dict[str, Any]) -> None:
        self._take(event)


@contextmanager
def _documents(options: RunOptions) -> Generator[TextIO]:
    """Where events go. With ``--json`` standard output is theirs alone: what the program's children and libraries write
    to it goes to standard error meanwhile. What Python prints is an event already."""
    try:
        number = sys.stdout.fileno()
    except OSError:  # somebody reads it in this process
        number = -1
    if not options.json or number < 0:
        yield sys.stdout
        return
    sys.stdout.flush()
    with os.fdopen(os.dup(number), "w", encoding="utf-8") as stream:
        os.dup2(sys.stderr.fileno(), number)
        try:
            yield stream
        finally:
            stream.flush()
            os.dup2(stream.fileno(), number)


def _display(operation: Operation, options: RunOptions, stream: TextIO) -> Display:
    if options.events is not None:
        return _Taken(operation, options.events)
    if options.json:
        return EventStream(stream)
    # A refresh says which properties drifted.
    if options.diff or operation not in (Operation.UP, Operation.DESTROY):
        return make_display(operation.value, diff=options.diff)
    return services_display(operation.value)
