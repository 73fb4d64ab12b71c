"""The embedded engine: preview, up, refresh and destroy of one stack."""

from __future__ import annotations

import contextlib
import signal
import threading
import time
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mldeploy.engine.analyzer import Analyzers, PackContext, PolicyPack
from mldeploy.engine.backend import FileBackend, StackReference
from mldeploy.engine.builtins import BuiltinProvider
from mldeploy.engine.checkpoint import verify_integrity
from mldeploy.engine.deletes import perform_deletes, perform_refresh
from mldeploy.engine.deployment import Deployment, Identity
from mldeploy.engine.engine_service import EngineService
from mldeploy.engine.errors import BailError, EngineError, StateError
from mldeploy.engine.events import Events, Sink
from mldeploy.engine.host import Factory, PluginHost
from mldeploy.engine.lock import StackLock
from mldeploy.engine.options import Options, Result
from mldeploy.engine.program import ProgramSettings, run_program
from mldeploy.engine.project import backend_path, check_stack_name, load_project
from mldeploy.engine.property_value import PropertyMap, mask_secrets
from mldeploy.engine.registry import ProviderRegistry
from mldeploy.engine.resource_monitor import ResourceMonitor
from mldeploy.engine.snapshot import SnapshotManager
from mldeploy.engine.stack import OpenStack, open_stack, stack_outputs
from mldeploy.engine.state import ResourceState
from mldeploy.engine.step_executor import CancelledStepError
from mldeploy.engine.step_generator import StepGenerator
from mldeploy.engine.urn import is_provider_type, provider_package, urn_type

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
        self._sink = sink
        self.providers: dict[str, Factory] = {"mldeploy": self._own_provider, **(providers or {})}
        self._running: Deployment | None = None

    def _own_provider(self) -> Any:
        from mldeploy.provider.servicer import Provider

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
            threading.Thread(target=running.registry.cancel, daemon=True).start()

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
                run = _Run(self, kind, options, events, opened, preview=preview)
                with self._interruptible(run.deployment):
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
    def _interruptible(self, deployment: Deployment) -> Generator[None]:
        """Ctrl-C once: finish running steps and stop. Twice: the usual KeyboardInterrupt."""
        self._running = deployment
        previous: Any = None

        def on_interrupt(number: int, frame: Any) -> None:
            if deployment.executor.cancelled.is_set():
                signal.default_int_handler(number, frame)
            deployment.note_error("canceled")
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


class _Run:
    """The parts of one operation, wired together."""

    def __init__(
        self,
        owner: Engine,
        kind: str,
        options: Options,
        events: Events,
        opened: OpenStack,
        *,
        preview: bool,
    ) -> None:
        self.kind = kind
        self.options = options
        self.events = events
        self.opened = opened
        self.preview = preview
        self._project = owner.project
        self.service = EngineService(events)
        self.host = PluginHost(
            owner.project,
            opened.config,
            self.service,
            events,
            owner.providers,
            preview=preview and kind == "preview",
            timeout=options.plugin_timeout,
        )
        builtin = BuiltinProvider(self._other_outputs(owner), self._lookup)
        registry = ProviderRegistry(self.host.load, builtin)
        self.snapshots: SnapshotManager | None = None
        if not preview:
            self.snapshots = opened.snapshot_manager()
        self.deployment = Deployment(
            Identity(owner.project.name, owner.reference.name, owner.project.root, owner.project.main),
            opened.snapshot,
            registry,
            events,
            options,
            snapshots=self.snapshots,
            counts_refreshes=kind == "refresh",
        )
        self.analyzers = Analyzers([], events, preview=preview)
        self.generator = StepGenerator(self.deployment, self.analyzers)
        self._seen: set[tuple[str, str]] = set()
        self._monitor: ResourceMonitor | None = None

    def _lookup(self, urn: str) -> ResourceState | None:
        return self.deployment.lookup(urn)

    @staticmethod
    def _other_outputs(owner: Engine) -> Callable[[str], PropertyMap]:
        def read(name: str) -> PropertyMap:
            parts = name.split("/")
            project = parts[-2] if len(parts) > 1 else owner.project.name
            return stack_outputs(owner.backend, StackReference(project, parts[-1]), owner.passphrase)

        return read

    def execute(self) -> Result:
        """Do it, and say how it went. What is written is consistent whatever happens."""
        self.events.emit(preludeEvent={"config": self.opened.config_for_display()})
        error = ""
        try:
            self._execute()
        except BailError as bail:
            error = str(bail)
        except CancelledStepError:
            error = "canceled"
        except EngineError as failure:
            self.deployment.error(str(failure))
            error = str(failure)
        finally:
            self.deployment.registry.close()
            self.analyzers.close()
            self.service.close()
            if self._monitor is not None:
                self._monitor.close()
        executor = self.deployment.executor
        if self.analyzers.violated:
            error = "mandatory policy violations: " + "; ".join(self.analyzers.violated)
            self.deployment.errors.insert(0, error)
        failed = bool(error) or executor.failed or self.generator.failed or bool(self.deployment.errors)
        outputs = self._finalize_outputs(failed=failed)
        try:
            if self.snapshots is not None:
                self.snapshots.finish()
                verify_integrity(self.snapshots.resources())
        except StateError as failure:
            self.deployment.error(str(failure))
            failed, error = True, str(failure)
        changes = dict(executor.counts)
        if (
            not failed
            and self.options.expect_no_changes
            and any(v for k, v in changes.items() if k != "same")
        ):
            error = "no changes were expected but changes " + (
                "were proposed" if self.preview else "occurred"
            )
            self.deployment.error(error)
            failed = True
        if failed and not error:
            error = self.deployment.errors[0] if self.deployment.errors else "failed"
        steps = [{"op": op, "urn": urn} for op, urn in executor.log]
        return Result(
            not failed, changes, outputs, "" if not failed else self._first_error(error), steps=steps
        )

    def _first_error(self, error: str) -> str:
        return self.deployment.errors[0] if self.deployment.errors else error

    def _execute(self) -> None:
        self._warn_pending()
        if self.kind == "refresh":
            self._refuse_missing()
            perform_refresh(self.deployment, self.generator)
            return
        if self.options.refresh or self._project.refresh_always:
            perform_refresh(self.deployment, self.generator)
        elif any(s.refresh_before_update for s in self.deployment.base.resources):
            raise EngineError("the state marks resources to be refreshed before updates: pass --refresh")
        if self.kind == "destroy":
            self._refuse_missing()
            perform_deletes(self.deployment, self.generator)
            return
        self._start_packs()
        self._run_program()
        perform_deletes(self.deployment, self.generator)
        self._analyze_stack()

    def _start_packs(self) -> None:
        """Start the policy packs, if any."""
        options = self.options
        if not options.policy_packs:
            return
        context = PackContext(
            self._project.name,
            self.deployment.identity.stack,
            self.preview,
            self.opened.config.plain(),
            self.opened.config.secret_keys(),
            self.service.address,
            options.plugin_timeout,
        )
        configs: list[Path | None] = [*options.policy_pack_configs]
        configs += [None] * (len(options.policy_packs) - len(configs))
        for path, config in zip(options.policy_packs, configs, strict=False):
            self.analyzers.add(PolicyPack(path.resolve(), config, context, self.events))

    def _analyze_stack(self) -> None:
        if not self.analyzers.any or self.deployment.executor.failed:
            return
        states = list(self.deployment.news.values())
        self.analyzers.analyze_stack(states, self.generator.goals, self.generator.provider_state)

    def _warn_pending(self) -> None:
        pending = self.deployment.base.operations
        if not pending or self.kind == "refresh" or self.preview:
            return
        listed = "\n".join(f"  * {op.resource.urn}, interrupted while {op.type}" for op in pending)
        self.events.diagnostic(
            "warning",
            f"Attempting to deploy or update resources with {len(pending)} pending operations from previous"
            f" deployment.\n{listed}\nThese resources are in an unknown state because an engine was"
            " interrupted. Run a refresh first to compare the record with what is there.",
        )

    def _run_program(self) -> None:
        monitor = ResourceMonitor(
            self.deployment, self.generator, self.opened.config, before_first_step=self._refuse_missing
        )
        self._monitor = monitor
        settings = ProgramSettings(
            self._project.name,
            self.deployment.identity.stack,
            self._project.root,
            self._project.main,
            self.opened.config,
            self.preview,
            self.options.parallel,
        )
        ended = run_program(settings, monitor, self.service, lambda p, v: self._seen.add((p, v)))
        if ended.error:
            self.deployment.error(ended.error)
        for text in self.service.errors:
            self.deployment.note_error(text)
        stopped = self.deployment.executor.cancelled.is_set() or self.service.errors or ended.error
        if stopped or ended.shut_down or (self.generator.failed and not self.preview):
            # What was not registered is not to be deleted: it may only not have come to it.
            raise BailError("; ".join(self.deployment.errors[:1]) or "canceled")

    def _refuse_missing(self) -> None:
        """Before the first step of a real run: are all plugins there?"""
        if self.preview and self.kind == "preview":
            return
        needed = set(self._seen)
        for state in self.deployment.base.resources:
            if is_provider_type(state.type):
                needed.add((provider_package(state.type), str(state.inputs.get("version") or "")))
        reasons = sorted({why for package, version in needed if (why := self.host.missing(package, version))})
        if reasons:
            raise EngineError("\n".join(reasons))

    def _finalize_outputs(self, *, failed: bool) -> dict[str, Any]:
        monitor = self._monitor
        if monitor is None or monitor.stack_outputs is None or not monitor.stack_urn:
            return self._recorded_outputs()
        outputs = monitor.stack_outputs
        if failed:
            old = self.deployment.olds.get(monitor.stack_urn)
            outputs = {**(old.outputs if old is not None else {}), **outputs}
        with contextlib.suppress(EngineError):
            monitor.complete_outputs(monitor.stack_urn, outputs)
        return outputs

    def _recorded_outputs(self) -> dict[str, Any]:
        for state in self.deployment.base.resources:
            if urn_type(state.urn) == "pulumi:pulumi:Stack" and not state.delete:
                return state.outputs if self.kind != "destroy" else {}
        return {}


def masked(outputs: PropertyMap) -> dict[str, Any]:
    """Outputs for display."""
    return {key: mask_secrets(value) for key, value in outputs.items()}
