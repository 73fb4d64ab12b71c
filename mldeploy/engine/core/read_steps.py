"""Steps that look at objects instead of changing them: read, refresh, import."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from mldeploy.engine.base.calls import ReadCall
from mldeploy.engine.base.errors import InitError, ProviderError
from mldeploy.engine.base.state import ResourceState
from mldeploy.engine.base.urn import is_provider_type
from mldeploy.engine.core.diff import invert, resolve_unknown
from mldeploy.engine.core.step import (
    DELETE,
    IMPORT,
    IMPORT_REPLACEMENT,
    READ,
    READ_REPLACEMENT,
    REFRESH,
    SAME,
    UPDATE,
    PartialStep,
    Step,
)
from mldeploy.engine.plugins.provider import DIFF_NONE, DIFF_UNKNOWN, ProviderDiff
from mldeploy.engine.state.checkpoint import now
from mldeploy.values.property_value import UNKNOWN_STRING, deep_equals


@dataclass(slots=True, eq=False, kw_only=True)
class ReadStep(PartialStep):
    """Reads a resource that Pulumi does not own."""

    @property
    def op(self) -> str:
        return READ_REPLACEMENT if self.replacing else READ

    def apply(self) -> InitError | None:
        new = self.target
        failure: InitError | None = None
        if new.id == UNKNOWN_STRING:
            new.outputs = {}
        else:
            found = self._provider().read(
                ReadCall(urn=new.urn, id=new.id, inputs=new.inputs, state=new.inputs)
            )
            if found.outputs is None or not found.id:
                raise ProviderError(f"resource '{new.id}' does not exist")
            new.id, new.outputs = found.id, found.outputs
            if found.init_errors:
                new.init_errors = found.init_errors
                failure = InitError(
                    "; ".join(found.init_errors), found.init_errors, new.id, new.outputs, None
                )
        if self.old is not None:
            if self.replacing:
                self.old.delete = True
            new.created, new.modified = self.old.created, self.old.modified
            if not (deep_equals(new.inputs, self.old.inputs) and deep_equals(new.outputs, self.old.outputs)):
                new.modified = now()
        return failure


@dataclass(slots=True, eq=False, kw_only=True)
class RefreshStep(Step):
    """Compares the record with what is there. `result_op` says what it found: same, update or delete."""

    deleted: bool = False
    diff: ProviderDiff = field(default_factory=ProviderDiff)

    @property
    def op(self) -> str:
        return REFRESH

    @property
    def logical(self) -> bool:
        return False

    @property
    def result_op(self) -> str:
        assert self.old is not None
        if self.deleted:
            return DELETE
        if self.new is self.old or self.new is None:
            return SAME
        if self.old.external:
            return SAME if deep_equals(self.old.outputs, self.new.outputs) else UPDATE
        return SAME if self.diff.changes == DIFF_NONE else UPDATE

    def apply(self) -> InitError | None:
        old = self.old
        assert old is not None
        self.new = old
        if not old.custom or is_provider_type(old.type) or old.pending_replacement:
            return None
        timeout = old.custom_timeouts.get("read", 0)
        found = self._provider().read(
            ReadCall(urn=old.urn, id=old.id, inputs=old.inputs, state=old.outputs, timeout=timeout)
        )
        if found.init_errors:
            problems = "\n* ".join(found.init_errors)
            self.deployment.events.diagnostic(
                "warning", f"Refreshed resource is in an unhealthy state:\n* {problems}", old.urn
            )
        if not found.id or found.outputs is None:
            self.deleted = True
            return None
        new = self.new = old.copy()
        new.id = found.id
        new.init_errors = found.init_errors
        new.refresh_before_update = found.refresh_before_update
        new.outputs = found.outputs
        if found.inputs is not None:
            new.inputs = found.inputs
        if not (deep_equals(new.inputs, old.inputs) and deep_equals(new.outputs, old.outputs)):
            new.modified = now()
        if not old.external:
            self.diff = self._compare(old, new)
            self.diff_keys, self.detailed = self.diff.changed_keys, self.diff.detailed
        return None

    def _compare(self, old: ResourceState, new: ResourceState) -> ProviderDiff:
        """What an update back to the record would change, turned round."""
        call = new.change_to(old.inputs, preview=self.deployment.preview, ignore=old.ignore_changes)
        diff = self._provider().diff(call)
        if diff.changes == DIFF_UNKNOWN:
            diff = resolve_unknown(diff, new.inputs, old.inputs)
        return invert(diff)


@dataclass(slots=True, eq=False, kw_only=True)
class ImportStep(Step):
    """Takes over an object that exists, by its id; `original` is the state it takes the place of."""

    ignore_changes: list[str] = field(default_factory=list[str])
    original: ResourceState | None = None
    imported: Callable[[ResourceState], None] | None = None

    @property
    def op(self) -> str:
        return IMPORT_REPLACEMENT if self.original is not None else IMPORT

    @property
    def logical(self) -> bool:
        return self.original is None

    def apply(self) -> InitError | None:
        new = self.target
        timeout = new.custom_timeouts.get("read", 0)
        found = self._provider().read(
            ReadCall(urn=new.urn, id=new.import_id, inputs=None, state={}, timeout=timeout)
        )
        if found.outputs is None or not found.id:
            raise ProviderError(f"resource '{new.import_id}' does not exist")
        if found.inputs is None:
            package = new.type.partition(":")[0]
            raise ProviderError(
                f"provider does not support importing resources; please try updating the '{package}' plugin"
            )
        new.id = found.id
        new.init_errors = found.init_errors
        new.inputs, new.outputs = found.inputs, found.outputs
        new.refresh_before_update = found.refresh_before_update
        new.created = new.modified = now()
        if self.original is not None:
            self.original.delete = True
        return None

    def complete(self) -> None:
        return
