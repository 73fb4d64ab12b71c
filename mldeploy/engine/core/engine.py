"""The embedded engine: preview, up, refresh and destroy of one stack."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mldeploy.engine.base.errors import EngineError
from mldeploy.engine.base.events import Events, Sink
from mldeploy.engine.base.options import Options, Result
from mldeploy.engine.core.run import OperationRun, Setting
from mldeploy.engine.plugins.host import Factory
from mldeploy.engine.project.project import backend_path, check_stack_name, load_project
from mldeploy.engine.state.backend import FileBackend, StackReference
from mldeploy.engine.state.clear_text import sealed_message
from mldeploy.engine.state.lock import StackLock
from mldeploy.engine.state.stack import OpenStack, open_stack

_KINDS = {"up": "update", "preview": "preview", "refresh": "refresh", "destroy": "destroy"}


class Engine:
    """One stack of one project.

    `providers` maps package names to factories of `ResourceProvider` servicers to run in this process; the
    project's own provider is there already. `sink` gets every event (a dict in the CLI's JSON shape).
    """

    def __init__(
        self,
        project_dir: Path | str,
        stack: str,
        *,
        backend_url: str | None = None,
        passphrase: str | None = None,
        sink: Sink | None = None,
        providers: Mapping[str, Factory] | None = None,
    ) -> None:
        check_stack_name(stack)
        self.project = load_project(Path(project_dir))
        self.backend = FileBackend(backend_path(self.project.root, backend_url, self.project.data))
        self.reference = StackReference(self.project.name, stack)
        self.passphrase = passphrase
        self.interrupted = False
        """Whether somebody pressed Ctrl-C while an operation ran."""
        self._sink = sink
        self.providers: dict[str, Factory] = {"mldeploy": self._own_provider, **(providers or {})}
        self._running: OperationRun | None = None

    def _own_provider(self) -> Any:
        from mldeploy.provider.framework.servicer import Provider

        return Provider(self.project.main)

    def preview(self, options: Options | None = None) -> Result:
        """Work out what `up` would do; nothing is changed."""
        return self._operate("preview", options or Options())

    def up(self, options: Options | None = None) -> Result:
        """Bring the stack to what the program says."""
        return self._operate("up", options or Options())

    def refresh(self, options: Options | None = None, *, preview: bool = False) -> Result:
        """Bring the record to what is there."""
        return self._operate("refresh", options or Options(), preview=preview)

    def destroy(self, options: Options | None = None, *, preview: bool = False) -> Result:
        """Delete every resource of the stack."""
        return self._operate("destroy", options or Options(), preview=preview)

    def cancel(self) -> None:
        """Finish what is running, begin nothing new. Safe to call from a signal handler or another thread."""
        running = self._running
        if running is not None:
            running.executor.cancel()
            threading.Thread(target=running.deployment.registry.cancel, daemon=True).start()

    # -- one operation ---------------------------------------------------------------------------------------

    def _operate(self, kind: str, options: Options, *, preview: bool = False) -> Result:
        events = Events(self._sink)
        started = time.time()
        preview = preview or kind == "preview"
        try:
            with self._locked(events, preview=preview):
                opened = open_stack(
                    self.backend, self.reference, self.project, self.passphrase, write=not preview
                )
                if opened.recovered:
                    events.diagnostic("warning", opened.recovered)
                if opened.sealed:
                    events.diagnostic("warning", sealed_message(opened.sealed))
                setting = Setting(self.project, self.backend, self.reference, self.passphrase, self.providers)
                run = OperationRun(setting, kind, options, events, opened, preview=preview)
                with self._interruptible(run):
                    result = run.execute()
                result.duration = time.time() - started
                if not preview:
                    self._record(kind, options, opened, result, started)
        except EngineError as error:
            events.diagnostic("error", str(error))
            result = Result(ok=False, error=str(error), duration=time.time() - started)
        self._summarise(events, result, preview=preview)
        return result

    @contextmanager
    def _locked(self, events: Events, *, preview: bool) -> Generator[None]:
        if preview:
            yield
            return
        self.backend.ensure()
        with StackLock(self.backend.lock_folder(self.reference)) as lock:
            for dead in lock.taken_over:
                events.diagnostic("warning", f"removed the lock of an engine that no longer runs: {dead}")
            yield

    @contextmanager
    def _interruptible(self, run: OperationRun) -> Generator[None]:
        """Ctrl-C once: finish running steps and stop. Twice: the usual KeyboardInterrupt."""
        self._running = run
        previous: Any = None

        def on_interrupt(number: int, frame: Any) -> None:
            if run.executor.cancelled.is_set():
                signal.default_int_handler(number, frame)
            self.interrupted = True
            run.deployment.note_error("canceled")
            self.cancel()

        main = threading.current_thread() is threading.main_thread()
        if main:
            previous = signal.signal(signal.SIGINT, on_interrupt)
        try:
            yield
        finally:
            self._running = None
            if main and previous is not None:
                signal.signal(signal.SIGINT, previous)

    def _record(self, kind: str, options: Options, opened: OpenStack, result: Result, started: float) -> None:
        entry = {
            "kind": _KINDS[kind],
            "startTime": int(started),
            "message": options.message,
            "environment": {"exec.kind": "mldeploy"},
            "config": opened.config_for_history(),
            "version": 0,
            "result": "succeeded" if result.ok else "failed",
            "endTime": int(time.time()),
            "resourceChanges": result.changes,
        }
        self.backend.add_history(self.reference, entry)

    @staticmethod
    def _summarise(events: Events, result: Result, *, preview: bool) -> None:
        events.emit(
            summaryEvent={
                "maybeCorrupt": False,
                "durationSeconds": round(result.duration),
                "resourceChanges": result.changes,
                "PolicyPacks": {},
                "isPreview": preview,
                "result": "succeeded" if result.ok else "failed",
            }
        )
        events.emit(cancelEvent={})
