"""What the step generator has decided in this run, shared with its parts (which know this, not the generator)."""

from __future__ import annotations

import threading

from mldeploy.engine.base.errors import BailError
from mldeploy.engine.base.goal import Goal
from mldeploy.engine.base.options import UrnTargets
from mldeploy.engine.base.state import ResourceState
from mldeploy.engine.base.urn import parse_provider_reference
from mldeploy.engine.core.aliases import AliasResolver
from mldeploy.engine.core.deployment import Deployment


class Decisions:
    """Sets of URNs by what was decided for them. Registrations come on several threads: `lock` guards it all.

    The sets are Pulumi's own (`stepGenerator.sames`, `.creates`, …): what is deleted at the end, what depends on a
    replacement and what a target leaves out is worked out from them.
    """

    def __init__(self, deployment: Deployment) -> None:
        self.deployment = deployment
        self.lock = threading.RLock()
        self.aliases = AliasResolver(deployment.identity.stack, deployment.identity.project)
        self.urns: set[str] = set()
        self.sames: set[str] = set()
        self.creates: set[str] = set()
        self.updates: set[str] = set()
        self.replaces: set[str] = set()
        self.reads: set[str] = set()
        self.imports: set[str] = set()
        self.skipped_creates: set[str] = set()
        self.providers: dict[str, ResourceState] = {}
        self.goals: dict[str, Goal] = {}
        self.replace_targets = UrnTargets(deployment.options.replace)
        self.failed = False

    def bail(self, message: str, urn: str = "") -> BailError:
        """Report an error; raise what this returns."""
        self.failed = True
        self.deployment.error(message, urn)
        return BailError(message)

    def is_replace_target(self, urn: str, old: ResourceState | None) -> bool:
        """Whether the user asked for a replacement, or the record does (taint)."""
        named = self.replace_targets.constrained and self.replace_targets.contains(urn)
        return named or (old is not None and old.taint)

    def provider_state(self, new: ResourceState) -> ResourceState | None:
        """The provider resource of a resource."""
        if not new.provider:
            return None
        urn = parse_provider_reference(new.provider).urn
        with self.lock:
            return self.providers.get(urn) or self.deployment.olds.get(urn)

    def operated_on(self, urn: str) -> bool:
        """Whether a step for this resource was generated (deletions do not count)."""
        urn = self.aliases.taken_by.get(urn, urn)
        return any(urn in seen for seen in (self.sames, self.updates, self.replaces, self.reads))

    def generated(self, urn: str) -> bool:
        """Whether any step was generated for exactly this URN."""
        seen = (self.creates, self.sames, self.updates, self.deployment.deletes, self.replaces, self.reads)
        return any(urn in urns for urns in seen)
