"""One operation on one stack: the old state, what was seen of the new one, and the parts that do the work."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from pathlib import Path

from mldeploy.engine.base.events import Events
from mldeploy.engine.base.options import Options
from mldeploy.engine.base.state import ResourceState
from mldeploy.engine.core.dependency_graph import DependencyGraph
from mldeploy.engine.plugins.registry import ProviderRegistry
from mldeploy.engine.state.checkpoint import Snapshot
from mldeploy.engine.state.snapshot import SnapshotManager
from mldeploy.values.property_value import PropertyMap


@dataclass(slots=True)
class Identity:
    """Which stack of which project, and where the program is."""

    project: str
    stack: str
    root: Path
    main: Path


class Deployment:
    """Shared by the generator, the executor, the steps and the monitor; knows none of them. `preview` changes nothing
    outside."""

    def __init__(
        self,
        identity: Identity,
        base: Snapshot,
        registry: ProviderRegistry,
        events: Events,
        options: Options,
        *,
        snapshots: SnapshotManager | None,
        counts_refreshes: bool = False,
    ) -> None:
        self.identity = identity
        self.registry = registry
        self.events = events
        self.options = options
        self.snapshots = snapshots
        self.preview = snapshots is None
        self.counts_refreshes = counts_refreshes
        self.errors: list[str] = []
        self.deletes: set[str] = set()
        self._lock = threading.Lock()
        self.news: dict[str, ResourceState] = {}
        self.reads: dict[str, ResourceState] = {}
        self.pending_creates = {
            op.resource.urn: op.resource for op in base.operations if op.type == "creating"
        }
        self.set_base(base)

    def set_base(self, base: Snapshot) -> None:
        """Take a snapshot as the old state (at the start, and after a refresh)."""
        self.base = base
        self.graph = DependencyGraph(base.resources)
        self.olds = {state.urn: state for state in base.resources if not state.delete}
        self.all_olds: dict[str, list[ResourceState]] = {}
        for state in base.resources:
            self.all_olds.setdefault(state.urn, []).append(state)

    def settle(self, state: ResourceState, *, read: bool) -> None:
        """Note a resource's new state, for lookups by URN."""
        with self._lock:
            (self.reads if read else self.news)[state.urn] = state

    def lookup(self, urn: str) -> ResourceState | None:
        """A resource seen in this run."""
        with self._lock:
            return self.news.get(urn) or self.reads.get(urn)

    def note_error(self, text: str) -> None:
        """Remember an error that was reported."""
        self.errors.append(text)

    def error(self, message: str, urn: str = "") -> None:
        """Report an error and remember that the run failed."""
        self.events.diagnostic("error", message, urn)
        with self._lock:
            self.errors.append(message)


@dataclass(slots=True)
class Registration:
    """The answer to a registration, filled in by the step that completes it."""

    state: ResourceState | None = None
    unknown: bool = False
    outputs: PropertyMap = field(default_factory=dict[str, object])

    def done(self, state: ResourceState, unknown: bool) -> None:
        """Called by the step."""
        self.state = state
        self.unknown = unknown
