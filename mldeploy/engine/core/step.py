"""Steps: what the engine does to one resource. `apply` does it, or works out what would come of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from mldeploy.engine.base.calls import CreateCall, DeleteCall
from mldeploy.engine.base.errors import EngineError, InitError, ProviderError
from mldeploy.engine.base.state import ResourceState
from mldeploy.engine.base.urn import is_provider_type
from mldeploy.engine.core.deployment import Deployment
from mldeploy.engine.plugins.registry import AnyProvider, owner_of
from mldeploy.engine.state.checkpoint import now

SAME = "same"
CREATE = "create"
UPDATE = "update"
DELETE = "delete"
REPLACE = "replace"
CREATE_REPLACEMENT = "create-replacement"
DELETE_REPLACED = "delete-replaced"
READ = "read"
READ_REPLACEMENT = "read-replacement"
REFRESH = "refresh"
DISCARD = "discard"
DISCARD_REPLACED = "discard-replaced"
REMOVE_PENDING_REPLACE = "remove-pending-replace"
IMPORT = "import"
IMPORT_REPLACEMENT = "import-replacement"

Done = Callable[[ResourceState, bool], None]


class DeleteProtectedError(EngineError):
    """A protected resource is not deleted; the rest of the run goes on so that all of them are named."""


@dataclass(slots=True, eq=False, kw_only=True)
class Step:
    """One step. `done(state, unknown)` answers the registration that asked for it."""

    deployment: Deployment
    old: ResourceState | None = None
    new: ResourceState | None = None
    done: Done | None = None
    replace_keys: list[str] = field(default_factory=list[str])
    diff_keys: list[str] = field(default_factory=list[str])
    detailed: dict[str, tuple[str, bool]] | None = None

    @property
    def op(self) -> str:
        """The operation's name, one of the constants above."""
        raise NotImplementedError

    @property
    def logical(self) -> bool:
        """Whether it counts as one operation of the summary."""
        return True

    @property
    def state(self) -> ResourceState:
        """The state the step is about."""
        state = self.new or self.old
        if state is None:
            raise AssertionError("a step needs a state")
        return state

    @property
    def target(self) -> ResourceState:
        """The state to bring about."""
        if self.new is None:
            raise AssertionError(f"a step '{self.op}' needs a new state")
        return self.new

    @property
    def urn(self) -> str:
        """Whose step it is."""
        return self.state.urn

    def apply(self) -> InitError | None:
        """Do it. An InitError that is returned has its effects recorded, a raised error has none."""
        raise NotImplementedError

    def complete(self) -> None:
        """Answer the registration, once the step is recorded."""
        if self.done is not None and self.new is not None:
            self.done(self.new, False)

    def _provider(self) -> AnyProvider:
        state = self.state
        return owner_of(state.type, self.deployment.registry, state.provider, state.urn)


@dataclass(slots=True, eq=False, kw_only=True)
class SameStep(Step):
    """Nothing to do. `skipped_create`: not there and not to be created now; `untargeted`: left alone."""

    skipped_create: bool = False
    untargeted: bool = False

    @property
    def op(self) -> str:
        return SAME

    def apply(self) -> InitError | None:
        new = self.target
        if self.old is not None:
            new.id = self.old.id
            new.outputs = self.old.outputs
        if is_provider_type(new.type) and not self.skipped_create and not self.untargeted:
            configured = new.copy()
            if self.old is not None:
                configured.inputs = self.old.inputs
            self.deployment.registry.same(configured, from_check=True)
        return None

    def complete(self) -> None:
        if self.done is not None and self.new is not None:
            self.done(self.new, self.skipped_create)


@dataclass(slots=True, eq=False, kw_only=True)
class PartialStep(Step):
    """A step that may be a part of a replacement (`replacing`), which is counted by its ReplaceStep."""

    replacing: bool = False

    @property
    def logical(self) -> bool:
        return not self.replacing


@dataclass(slots=True, eq=False, kw_only=True)
class CreateStep(PartialStep):
    """A new object; `replacing` an old one, which is then `pending_delete` (create first) or gone already."""

    pending_delete: bool = False

    @property
    def op(self) -> str:
        return CREATE_REPLACEMENT if self.replacing else CREATE

    def apply(self) -> InitError | None:
        new = self.target
        failure: InitError | None = None
        preview = self.deployment.preview
        id_, outputs, refresh = "", new.outputs, False
        if new.custom:
            try:
                timeout = new.custom_timeouts.get("create", 0)
                id_, outputs, refresh = self._provider().create(
                    CreateCall(urn=new.urn, inputs=new.inputs, timeout=timeout, preview=preview)
                )
            except InitError as error:
                failure, id_, outputs = error, error.id, error.properties
                new.init_errors = error.reasons
            if failure is None and not preview and not id_:
                raise ProviderError("provider did not return an ID from Create")
        new.id = id_
        new.outputs = outputs
        new.refresh_before_update = refresh
        new.created = new.modified = now()
        if self.replacing and self.pending_delete and self.old is not None:
            self.old.delete = True
        return failure


@dataclass(slots=True, eq=False, kw_only=True)
class UpdateStep(Step):
    """A change in place."""

    stable_keys: list[str] = field(default_factory=list[str])
    ignore_changes: list[str] = field(default_factory=list[str])

    @property
    def op(self) -> str:
        return UPDATE

    def apply(self) -> InitError | None:
        new, old = self.target, self.old
        assert old is not None
        new.id, new.created, new.modified = old.id, old.created, old.modified
        if not new.custom:
            return None
        failure: InitError | None = None
        try:
            call = old.change_to(
                new.inputs,
                urn=new.urn,
                preview=self.deployment.preview,
                ignore=self.ignore_changes,
                timeout=new.custom_timeouts.get("update", 0),
            )
            outputs, refresh = self._provider().update(call)
        except InitError as error:
            failure, outputs, refresh = error, error.properties, False
            new.init_errors = error.reasons
        new.outputs = outputs
        new.refresh_before_update = refresh
        new.modified = now()
        return failure


@dataclass(slots=True, eq=False, kw_only=True)
class ReplaceStep(Step):
    """Marks a replacement in the summary; creating and deleting have steps of their own."""

    @property
    def op(self) -> str:
        return REPLACE

    def apply(self) -> InitError | None:
        return None

    def complete(self) -> None:
        return


@dataclass(slots=True, eq=False, kw_only=True)
class DeleteStep(PartialStep):
    """An object's end; `replacing`: another takes its place, `pending_replacement`: that comes later."""

    pending_replacement: bool = False

    @property
    def op(self) -> str:
        assert self.old is not None
        if self.old.external:
            return DISCARD_REPLACED if self.replacing else DISCARD
        return DELETE_REPLACED if self.replacing else DELETE

    def apply(self) -> InitError | None:
        old = self.old
        assert old is not None
        if not self.replacing and old.protect:
            raise DeleteProtectedError(
                f'resource "{old.urn}" cannot be deleted\nbecause it is protected. To unprotect the resource,'
                " either remove the `protect` flag from the resource in your Pulumi program and run"
                f" `pulumi up`, or use the command:\n`pulumi state unprotect '{old.urn}'`"
            )
        if not self.deployment.preview and self._owned(old):
            timeout = old.custom_timeouts.get("delete", 0)
            self._provider().delete(
                DeleteCall(urn=old.urn, id=old.id, inputs=old.inputs, outputs=old.outputs, timeout=timeout)
            )
        if self.pending_replacement:
            # Only once it is gone: a failed delete must be tried again by the next run.
            old.pending_replacement = True
        return None

    def _owned(self, old: ResourceState) -> bool:
        if old.external or old.retain_on_delete or not old.custom:
            return False
        return not (old.deleted_with and old.deleted_with in self.deployment.deletes)


@dataclass(slots=True, eq=False, kw_only=True)
class RemovePendingReplaceStep(Step):
    """Forgets an object that was deleted for a replacement which the program no longer wants."""

    @property
    def op(self) -> str:
        return REMOVE_PENDING_REPLACE

    @property
    def logical(self) -> bool:
        return False

    def apply(self) -> InitError | None:
        return None
