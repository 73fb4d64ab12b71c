"""One run of an operation: its parts wired together, carried out, and how it went."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mldeploy.engine.base.errors import BailError, EngineError, StateError, UnsupportedError
from mldeploy.engine.base.events import Events
from mldeploy.engine.base.options import Options, Result
from mldeploy.engine.base.state import ResourceState
from mldeploy.engine.base.urn import is_provider_type, provider_package, type_package, urn_type
from mldeploy.engine.core.deletes import perform_deletes, perform_refresh
from mldeploy.engine.core.deployment import Deployment, Identity
from mldeploy.engine.core.resource_monitor import ResourceMonitor
from mldeploy.engine.core.step_executor import CancelledStepError, StepExecutor
from mldeploy.engine.core.step_generator import StepGenerator
from mldeploy.engine.plugins.analyzer import Analyzers, PackContext, PolicyPack
from mldeploy.engine.plugins.builtins import BuiltinProvider
from mldeploy.engine.plugins.engine_service import EngineService
from mldeploy.engine.plugins.host import Factory, PluginHost
from mldeploy.engine.plugins.registry import ProviderRegistry
from mldeploy.engine.program.program import Made, ProgramSettings, run_program
from mldeploy.engine.project.project import PulumiProject
from mldeploy.engine.state.backend import FileBackend, StackReference
from mldeploy.engine.state.checkpoint import verify_integrity
from mldeploy.engine.state.snapshot import SnapshotManager
from mldeploy.engine.state.stack import OpenStack, stack_outputs
from mldeploy.values.property_value import PropertyMap


@dataclass(frozen=True, slots=True)
class Setting:
    """What every operation on a stack begins with. `providers` are the ones that run in this process."""

    project: PulumiProject
    backend: FileBackend
    reference: StackReference
    passphrase: str | None
    providers: Mapping[str, Factory]


class OperationRun:
    """The parts of one operation, wired together."""

    def __init__(
        self,
        setting: Setting,
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
        self._project = setting.project
        self.service = EngineService(events)
        self.host = PluginHost(
            setting.project,
            opened.config,
            self.service,
            events,
            setting.providers,
            preview=preview and kind == "preview",
            timeout=options.plugin_timeout,
        )
        builtin = BuiltinProvider(self._other_outputs(setting), self._lookup)
        registry = ProviderRegistry(self.host.load, builtin)
        self.snapshots: SnapshotManager | None = None
        if not preview:
            self.snapshots = opened.snapshot_manager()
        self.deployment = Deployment(
            Identity(
                setting.project.name, setting.reference.name, setting.project.root, setting.project.main
            ),
            opened.snapshot,
            registry,
            events,
            options,
            snapshots=self.snapshots,
            counts_refreshes=kind == "refresh",
        )
        self.analyzers = Analyzers([], events, preview=preview)
        self.executor = StepExecutor(self.deployment, options.parallel)
        self.generator = StepGenerator(self.deployment, self.executor, self.analyzers)
        self._seen: set[tuple[str, str]] = set()
        self._unsupported: list[str] = []
        self._monitor: ResourceMonitor | None = None

    def _lookup(self, urn: str) -> ResourceState | None:
        return self.deployment.lookup(urn)

    @staticmethod
    def _other_outputs(setting: Setting) -> Callable[[str], PropertyMap]:
        def read(name: str) -> PropertyMap:
            *organization, stack = name.split("/")
            if organization and organization[0] != "organization":
                raise EngineError(f"stack {name!r}: the organization of stacks in folders is 'organization'")
            project = organization[1] if len(organization) == 2 else setting.project.name
            return stack_outputs(setting.backend, StackReference(project, stack), setting.passphrase)

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
        executor = self.executor
        if self.analyzers.violated:
            # Each violation has been said by its own event.
            error = "mandatory policies are violated: " + ", ".join(dict.fromkeys(self.analyzers.violated))
            self.deployment.errors.insert(0, error)
        failed = (
            bool(error) or executor.failed or self.generator.decided.failed or bool(self.deployment.errors)
        )
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
        for warning in (*self.opened.config.warnings, self._project.missing_environment):
            if warning:
                self.events.diagnostic("warning", warning)
        self._warn_pending()
        if self.kind == "refresh":
            self._refuse_missing()
            perform_refresh(self.deployment, self.generator)
            return
        if self.options.refresh or self._project.refresh_always:
            perform_refresh(self.deployment, self.generator)
        elif any(s.refresh_before_update for s in self.deployment.base.resources):
            perform_refresh(self.deployment, self.generator, marked_only=True)
        if self.kind == "destroy":
            if self.options.exclude_protected:
                held = [s.urn for s in self.deployment.base.resources if s.protect]
                self.generator.targeting.exclude(held)
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
        if not self.analyzers.any or self.executor.failed:
            return
        states = list(self.deployment.news.values())
        self.analyzers.analyze_stack(
            states, self.generator.decided.goals, self.generator.decided.provider_state
        )

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
            self._project.entry,
            self.opened.config,
            self.preview,
            self.options.parallel,
        )
        ended = run_program(settings, monitor, self.service, self._note_made)
        if ended.error:
            self.deployment.error(ended.error)
        stopped = self.executor.cancelled.is_set() or ended.error
        if stopped or ended.shut_down or (self.generator.decided.failed and not self.preview):
            # What was not registered is not to be deleted: it may only not have come to it.
            raise BailError("; ".join(self.deployment.errors[:1]) or "canceled")

    def _note_made(self, made: Made) -> None:
        if made.custom:
            self._seen.add((type_package(made.type), made.version))
        if made.unsupported:
            self._unsupported.append(f"{made.type} '{made.name}': {made.unsupported}")

    def _refuse_missing(self) -> None:
        """Before the first step: does the program want what this engine does not do? Are all plugins there?"""
        if self._unsupported:
            raise UnsupportedError("\n".join(self._unsupported))
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
