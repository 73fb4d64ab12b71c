"""The snapshot manager: turns the beginnings and ends of steps into durable states.

Two lists make a snapshot: the states this operation produced, then those of the base that it has not touched
yet. Both are topologically sorted, so their concatenation is. Mutations of concurrent steps share one write.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path

from mldeploy.engine.base.state import PendingOperation, ResourceState
from mldeploy.engine.base.waiting import waiting
from mldeploy.engine.project.secrets import SecretsManager
from mldeploy.engine.state.checkpoint import DeploymentParts, Snapshot, render, write_checkpoint
from mldeploy.engine.state.journal import JournalWriter
from mldeploy.engine.state.normalize import UrnFixer
from mldeploy.engine.state.serde import Serializer, dumps
from mldeploy.values.property_value import BYTE_STRING_SIG, PropertyMap, deep_equals

# Checkpoints up to this size are written whole after every step, so that the other engine can take over from
# a killed one without knowing of journals. Larger ones are rewritten when that takes little of the time.
WHOLE_LIMIT = 64 * 1024
WHOLE_SHARE = 20.0


class _Batch:
    """Mutations that share a write. The first member whose `turn` comes while it is not written writes it."""

    def __init__(self) -> None:
        self.members = 0
        self.turn = threading.Semaphore(0)
        self.written = False
        self.failure: Exception | None = None


class SnapshotManager:
    """Owns the state on disk while an operation runs. Every method may be called from any thread."""

    def __init__(
        self,
        base: Snapshot,
        manager: SecretsManager | None,
        stack: str,
        path: Path,
        journal: Path,
    ) -> None:
        self._base = base
        self._stack = stack
        self._path = path
        self._journal_path = journal
        self._serializer = Serializer(manager)
        self._secrets_state = base.secrets_state
        if manager is not None:
            self._secrets_state = {"type": "passphrase", "state": {"salt": manager.salt}}
        self._lock = threading.Lock()
        self._writing = False
        self._next: _Batch | None = None
        self._news: dict[ResourceState, None] = {}
        self._dones: set[ResourceState] = set()
        self._operations: dict[ResourceState, tuple[int, bytes]] = {}
        self._rendered: dict[ResourceState, tuple[bytes, frozenset[str]]] = {}
        self._keys: dict[ResourceState, int] = {}
        self._next_key = 0
        self._kept: dict[PendingOperation, int] = {}
        self._keep_creates(base)
        self._lines: list[bytes] = []
        self._journal: JournalWriter | None = None
        self.size = 0
        self._aliased = False
        self._failure: Exception | None = None
        self._elided = False
        self._last = False
        self._whole_seconds = 0.0
        self._whole_at = float("-inf")
        self.writes = 0

    # -- what steps report ---------------------------------------------------------------------------------

    def begin(self, state: ResourceState, operation: str) -> None:
        """An operation on the state is about to start; returns when that is on disk."""

        def change() -> None:
            rendered = dumps(self._serializer.operation(PendingOperation(state, operation)))
            key = self._new_key()
            self._operations[state] = (key, rendered)
            self._lines.append(b'["o",%d,%s]' % (key, rendered))

        self._mutate(change)

    def end(
        self,
        *,
        operated: ResourceState | None = None,
        new: ResourceState | None = None,
        done: ResourceState | None = None,
        changed: ResourceState | None = None,
        elide: bool = False,
        made_good: str = "",
    ) -> None:
        """A step has ended: `operated` is no longer pending, `new` exists, `done` is superseded or gone,
        `changed` is an old state whose flags changed. `elide`: not worth a write of its own. `made_good`: a URN
        whose interrupted creates of earlier runs are settled by this one."""

        def change() -> None:
            if operated is not None and operated in self._operations:
                key, _ = self._operations.pop(operated)
                self._lines.append(b'["c",%d]' % key)
            if made_good:
                self._forget_creates(made_good)
            if new is not None:
                self._news[new] = None
                self._aliased = self._aliased or bool(new.aliases)
                if elide and done is not None:
                    # Says the same as the old state: in a journal it only moves to where the new ones are.
                    self._lines.append(b'["m",%d,%d]' % (self._key(new), self._key(done)))
                else:
                    self._put(new)
            if done is not None:
                self._dones.add(done)
                self._rendered.pop(done, None)
                self._lines.append(b'["d",%d]' % self._key(done))
            if changed is not None and changed not in self._dones:
                self._put(changed)

        self._mutate(change, wait=not elide)

    def outputs(self, state: ResourceState, old_outputs: PropertyMap | None) -> None:
        """A recorded state's outputs were registered; unchanged ones are not worth a write of their own."""
        same = old_outputs is not None and deep_equals(old_outputs, state.outputs)

        def change() -> None:
            if not same or state in self._rendered:
                self._put(state)

        self._mutate(change, wait=not same)

    def _keep_creates(self, base: Snapshot) -> None:
        """Interrupted creates are kept: only a later create, or the user, can settle them."""
        self._kept = {op: self._new_key() for op in base.operations if op.type == "creating"}

    def _forget_creates(self, urn: str) -> None:
        for operation, key in list(self._kept.items()):
            if operation.resource.urn == urn:
                del self._kept[operation]
                self._lines.append(b'["c",%d]' % key)

    def rebase(self, base: Snapshot) -> None:
        """The base was replaced by a refresh."""

        def change() -> None:
            self._base = base
            self._rendered.clear()
            self._keep_creates(base)
            self._whole_at = float("-inf")

        self._mutate(change, wait=False)

    def finish(self) -> None:
        """Write what is not on disk yet as one whole checkpoint and remove the journal. Raises StateError."""
        with self._lock:
            needed = self._elided or self._failure is not None or self.writes > 0 or not self._base.exists
            # A full disk may have room again: what was not recorded gets its last chance here.
            self._failure = None
            self._whole_at = float("-inf")
            self._last = True
        if needed:
            self._mutate(lambda: None)
        with self._lock:
            if self._journal is not None:
                self._journal.close()
                self._journal = None

    # -- the writing ---------------------------------------------------------------------------------------

    def _new_key(self) -> int:
        self._next_key += 1
        return self._next_key

    def _key(self, state: ResourceState) -> int:
        key = self._keys.get(state)
        if key is None:
            key = self._keys[state] = self._new_key()
        return key

    def _put(self, state: ResourceState) -> None:
        rendered = self._rendered[state] = self._serializer.rendered(state)
        self._lines.append(b'["r",%d,%s]' % (self._key(state), rendered[0]))

    def _mutate(self, change: Callable[[], None], *, wait: bool = True) -> None:
        with self._lock:
            if self._failure is not None:
                raise self._failure
            change()
            if not wait:
                self._elided = True
                return
            batch = self._next
            if batch is None:
                batch = self._next = _Batch()
            batch.members += 1
            follows, self._writing = self._writing, True
        with waiting():
            if follows:
                batch.turn.acquire()
            if not batch.written:
                self._write(batch)
        if batch.failure is not None:
            raise batch.failure

    def _write(self, batch: _Batch) -> None:
        """Write what the batch's members changed, then let them go on and one of the next batch write."""
        with self._lock:
            self._next = None
            job = self._prepare()
        try:
            job()
        except Exception as error:
            batch.failure = error
        with self._lock:
            batch.written = True
            self._failure = batch.failure
            following = self._next
            self._writing = following is not None
        if batch.members > 1:
            batch.turn.release(batch.members - 1)
        if following is not None:
            following.turn.release()

    def _prepare(self) -> Callable[[], None]:
        """What is to be written now, captured under the lock."""
        lines, self._lines = self._lines, []
        self.writes += 1
        journal = self._journal
        too_soon = time.monotonic() - self._whole_at < self._whole_seconds * WHOLE_SHARE
        if journal is not None and too_soon and not self._aliased:
            return lambda: journal.append(lines)
        return self._prepare_whole()

    def _prepare_whole(self) -> Callable[[], None]:
        news = [s for s in self._news if s not in self._dones]
        states = news + [s for s in self._base.resources if s not in self._dones and s not in self._news]
        fixer = UrnFixer(states) if self._aliased else None
        rendered = [self._render(state, fixer) for state in states]
        features = {feature for _, needed in rendered for feature in needed}
        kept = [dumps(self._serializer.operation(op)) for op in self._kept]
        operations = [rendered for _, rendered in self._operations.values()] + kept
        keys = [self._key(s) for s in states]
        operation_keys = [key for key, _ in self._operations.values()] + list(self._kept.values())
        self._elided = False
        if any(BYTE_STRING_SIG.encode() in text for text in operations):
            features.add("byteString")
        parts = DeploymentParts([text for text, _ in rendered], operations, self._secrets_state, features)
        last = self._last

        def write() -> None:
            started = time.monotonic()
            data = render(self._stack, parts)
            write_checkpoint(self._path, data, sidecar=last)
            if self._journal is not None:
                self._journal.close()
                self._journal = None
            if len(data) > WHOLE_LIMIT:
                self._journal = JournalWriter(self._journal_path, data, keys, len(news), operation_keys)
            self.size = len(data)
            self._whole_at = time.monotonic()
            self._whole_seconds = self._whole_at - started

        return write

    def _render(self, state: ResourceState, fixer: UrnFixer | None) -> tuple[bytes, frozenset[str]]:
        if fixer is not None:
            return self._serializer.rendered(fixer.fixed(state))
        rendered = self._rendered.get(state)
        if rendered is None:
            rendered = self._rendered[state] = self._serializer.rendered(state)
        return rendered

    def resources(self) -> list[ResourceState]:
        """The states as they are now, in order."""
        with self._lock:
            news = [s for s in self._news if s not in self._dones]
            return news + [s for s in self._base.resources if s not in self._dones and s not in self._news]
