"""The step executor: runs chains of steps, records each before and after, and stops the rest on an error."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from mldeploy.engine.base.errors import BailError, EngineError, InitError, StateError
from mldeploy.engine.base.state import ResourceState
from mldeploy.engine.base.waiting import waiting
from mldeploy.engine.core import advice
from mldeploy.engine.core import step as ops
from mldeploy.engine.core.deployment import Deployment
from mldeploy.engine.core.read_steps import ImportStep, ReadStep, RefreshStep
from mldeploy.engine.core.step import (
    CreateStep,
    DeleteProtectedError,
    DeleteStep,
    ReplaceStep,
    SameStep,
    Step,
    UpdateStep,
)
from mldeploy.engine.core.step_events import is_default_provider, metadata, silent
from mldeploy.values.property_value import Secret, deep_equals


class CancelledStepError(Exception):
    """The operation is stopping: the step was not begun."""


class StepFailedError(BailError):
    """A step failed; it was reported and the state says so. `urn` is whose step it was."""

    def __init__(self, message: str, urn: str) -> None:
        super().__init__(message)
        self.urn = urn


class StepExecutor:
    """Runs steps on the threads that bring them, at most `parallel` at a time."""

    def __init__(self, deployment: Deployment, parallel: int) -> None:
        self._deployment = deployment
        self._slots = threading.Semaphore(max(1, parallel))
        self._parallel = max(1, parallel)
        self._lock = threading.Lock()
        self.cancelled = threading.Event()
        self.errored: list[Step] = []
        self._skipped: set[str] = set()
        self.failed = False
        self.pending_news: dict[str, Step] = {}
        self.counts: dict[str, int] = {}
        self.log: list[tuple[str, str]] = []

    def cancel(self) -> None:
        """Begin no further step."""
        self.cancelled.set()

    def run_chain(self, steps: list[Step]) -> None:
        """Run the steps of a registration. Raises CancelledStepError, or BailError for what was reported.

        Those that need what failed or was skipped before are skipped, too (with --continue-on-error).
        """
        kept = self._without_dependents_of_failed(steps)
        if kept:
            self._run_chain(kept)
        for step in steps:
            if step.done is not None and step not in kept:
                raise StepFailedError(f"{step.urn} was skipped: what it depends on failed", step.urn)

    def _without_dependents_of_failed(self, steps: list[Step]) -> list[Step]:
        kept: list[Step] = []
        with self._lock:
            self._skipped |= {step.urn for step in self.errored}
            for step in steps:
                if self._skipped and not self._skipped.isdisjoint(step.state.all_dependencies()):
                    self._skipped.add(step.urn)
                else:
                    kept.append(step)
        return kept

    def _run_chain(self, steps: list[Step]) -> None:
        if not self._slots.acquire(blocking=False):
            with waiting():
                self._slots.acquire()
        try:
            for step in steps:
                if self.cancelled.is_set():
                    raise CancelledStepError
                self._run(step)
        finally:
            self._slots.release()

    def run_parallel(self, steps: list[Step]) -> None:
        """Run independent steps; errors are recorded, not raised."""

        def one(step: Step) -> None:
            try:
                self._run_chain([step])
            except (CancelledStepError, BailError):
                return

        if self._parallel == 1 or len(steps) == 1:
            for step in steps:
                one(step)
            return
        with ThreadPoolExecutor(min(self._parallel, max(1, len(steps))), "step") as pool:
            list(pool.map(one, steps))

    # -- one step ----------------------------------------------------------------------------------------

    def _run(self, step: Step) -> None:
        self._announce(step)
        failure: InitError | None = None
        try:
            self._begin(step)
            failure = step.apply()
        except Exception as error:
            self._record_failure(step, error)
            raise StepFailedError(str(error), step.urn) from error
        self._after(step)
        try:
            if failure is None:
                self._report(step)
            self._end(step)
        except StateError as error:
            self._record_failure(step, error, recorded=True)
            raise StepFailedError(str(error), step.urn) from error
        if failure is not None:
            self._fail(step, failure)
            raise StepFailedError(str(failure), step.urn) from failure
        step.complete()

    def _record_failure(self, step: Step, error: Exception, *, recorded: bool = False) -> None:
        if not recorded:
            try:
                self._end_failed(step)
            except StateError as later:
                self._deployment.events.diagnostic("error", str(later), step.urn)
        self._fail(step, error)

    def _fail(self, step: Step, error: Exception) -> None:
        events = self._deployment.events
        text = str(error) or type(error).__name__
        if not isinstance(error, EngineError):
            text = f"{type(error).__name__}: {text}"
        if isinstance(step, CreateStep):
            text += advice.after_create(step.target, text)
        events.diagnostic("error", text, step.urn)
        if events.wanted:
            events.emit(resOpFailedEvent={"metadata": metadata(step), "status": 0, "steps": len(self.log)})
        with self._lock:
            self.failed = True
            self._deployment.note_error(text)
            self.errored.append(step)
        if not (self._deployment.options.continue_on_error or isinstance(error, DeleteProtectedError)):
            self.cancel()

    def _after(self, step: Step) -> None:
        new = step.new
        if new is not None and step.logical:
            with self._lock:
                self.pending_news[step.urn] = step
        if new is None or isinstance(step, ReplaceStep | RefreshStep):
            return
        _mark_secret_outputs(new)
        self._deployment.settle(new, read=isinstance(step, ReadStep))

    # -- recording ---------------------------------------------------------------------------------------

    def _begin(self, step: Step) -> None:
        snapshots = self._deployment.snapshots
        if snapshots is None:
            return
        operations: dict[type[Step], str] = {
            CreateStep: "creating",
            UpdateStep: "updating",
            DeleteStep: "deleting",
            ReadStep: "reading",
            ImportStep: "importing",
        }
        operation = operations.get(type(step))
        if operation is not None:
            snapshots.begin(step.state, operation)

    def _end_failed(self, step: Step) -> None:
        snapshots = self._deployment.snapshots
        if snapshots is not None and isinstance(
            step, CreateStep | UpdateStep | DeleteStep | ReadStep | ImportStep
        ):
            snapshots.end(operated=step.state)

    def _end(self, step: Step) -> None:
        snapshots = self._deployment.snapshots
        if snapshots is None:
            return
        old, new = step.old, step.new
        if isinstance(step, SameStep):
            if not step.skipped_create and new is not None:
                elide = old is not None and not _must_write(old, new)
                snapshots.end(new=new, done=old, elide=elide)
        elif isinstance(step, CreateStep):
            gone = old if old is not None and old.pending_replacement else None
            made_good = step.urn if step.urn in self._deployment.pending_creates else ""
            snapshots.end(
                operated=new, new=new, done=gone, changed=None if gone else old, made_good=made_good
            )
        elif isinstance(step, UpdateStep):
            snapshots.end(operated=new, new=new, done=old)
        elif isinstance(step, ReadStep):
            snapshots.end(
                operated=new,
                new=new,
                done=None if step.replacing else old,
                changed=old if step.replacing else None,
            )
        elif isinstance(step, ImportStep):
            snapshots.end(operated=new, new=new, changed=step.original)
        elif isinstance(step, DeleteStep) and old is not None:
            if old.pending_replacement:
                snapshots.end(operated=old, changed=old)
            else:
                snapshots.end(operated=old, done=old)
        elif step.op == ops.REMOVE_PENDING_REPLACE:
            snapshots.end(done=old)

    # -- telling -----------------------------------------------------------------------------------------

    def _announce(self, step: Step) -> None:
        events = self._deployment.events
        if events.wanted and not silent(step):
            preview = {"planning": True} if self._deployment.preview else {}
            events.emit(resourcePreEvent={"metadata": metadata(step), **preview})

    def _report(self, step: Step) -> None:
        op = step.result_op if isinstance(step, RefreshStep) else step.op
        counted = step.logical or (isinstance(step, RefreshStep) and self._deployment.counts_refreshes)
        if isinstance(step, ReadStep) and step.op == ops.READ:
            counted = _read_changed(step)
        if counted and not is_default_provider(step.state):
            with self._lock:
                self.counts[op] = self.counts.get(op, 0) + 1
        with self._lock:
            self.log.append((step.op, step.urn))
        events = self._deployment.events
        if not events.wanted or silent(step):
            return
        told = step.state.custom or isinstance(step, RefreshStep) or step.op == ops.DELETE
        if told or self._deployment.preview:
            # Components tell their outputs by themselves, in a preview once more.
            preview = {"planning": True} if self._deployment.preview else {}
            events.emit(resOutputsEvent={"metadata": metadata(step, op), **preview})

    def outputs_registered(self, step: Step) -> None:
        """Tell the outputs of a component."""
        events = self._deployment.events
        if events.wanted:
            preview = {"planning": True} if self._deployment.preview else {}
            events.emit(resOutputsEvent={"metadata": metadata(step), **preview})


def _read_changed(step: ReadStep) -> bool:
    """Reads are counted when they tell something new."""
    old, new = step.old, step.new
    if old is None or new is None:
        return False
    return not deep_equals(old.outputs, new.outputs)


def _mark_secret_outputs(state: ResourceState) -> None:
    """What the program declared secret, and inputs that come back as outputs, stay secret."""
    outputs = state.outputs
    marked = {
        k: Secret(v)
        for k, v in outputs.items()
        if not isinstance(v, Secret)
        and (k in state.additional_secret_outputs or isinstance(state.inputs.get(k), Secret))
    }
    if marked:
        state.outputs = {**outputs, **marked}


def _must_write(old: ResourceState, new: ResourceState) -> bool:
    """Whether an unchanged resource has changed in what the record says of it."""
    if any(getattr(old, name) != getattr(new, name) for name in _COMPARED):
        return True
    if sorted(old.dependencies) != sorted(new.dependencies):
        return True
    return not (
        deep_equals(old.inputs, new.inputs)
        and deep_equals(old.outputs, new.outputs)
        and deep_equals(old.replacement_trigger, new.replacement_trigger)
    )


_COMPARED = (
    "urn",
    "type",
    "custom",
    "custom_timeouts",
    "retain_on_delete",
    "provider",
    "parent",
    "deleted_with",
    "replace_with",
    "protect",
)

Runner = Callable[[list[Step]], None]
