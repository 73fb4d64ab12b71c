"""A resource's recorded state, and its JSON form in deployments (Pulumi's ResourceV3)."""

from __future__ import annotations

import copy
from dataclasses import dataclass, field, fields
from typing import Any

from mldeploy.engine.base.calls import ChangeCall
from mldeploy.values.property_value import PropertyMap, Value


@dataclass(slots=True, eq=False)
class ResourceState:
    """One resource of a stack. Compared by identity: several states may share a URN during a replacement."""

    urn: str
    type: str
    custom: bool = False
    delete: bool = False
    id: str = ""
    inputs: PropertyMap = field(default_factory=dict[str, Any])
    outputs: PropertyMap = field(default_factory=dict[str, Any])
    parent: str = ""
    protect: bool = False
    taint: bool = False
    external: bool = False
    dependencies: list[str] = field(default_factory=list[str])
    init_errors: list[str] = field(default_factory=list[str])
    provider: str = ""
    property_dependencies: dict[str, list[str]] = field(default_factory=dict[str, list[str]])
    pending_replacement: bool = False
    additional_secret_outputs: list[str] = field(default_factory=list[str])
    aliases: list[str] = field(default_factory=list[str])
    custom_timeouts: dict[str, float] = field(default_factory=dict[str, float])
    import_id: str = ""
    retain_on_delete: bool = False
    deleted_with: str = ""
    replace_with: list[str] = field(default_factory=list[str])
    created: str = ""
    modified: str = ""
    source_position: str = ""
    stack_trace: list[Any] = field(default_factory=list[Any])
    ignore_changes: list[str] = field(default_factory=list[str])
    hide_diff: list[str] = field(default_factory=list[str])
    replace_on_changes: list[str] = field(default_factory=list[str])
    replacement_trigger: Value = None
    refresh_before_update: bool = False

    def copy(self) -> ResourceState:
        """A copy whose lists and top-level maps may be changed without touching this one."""
        other = copy.copy(self)
        for item in fields(self):
            value = getattr(other, item.name)
            if isinstance(value, dict | list):
                setattr(other, item.name, value.copy())
        return other

    @property
    def name(self) -> str:
        """The logical name."""
        return self.urn.rsplit("::", 1)[-1]

    def change_to(
        self, news: PropertyMap, *, preview: bool, ignore: list[str], urn: str = "", timeout: float = 0
    ) -> ChangeCall:
        """What a provider is asked about a change of these inputs to `news`. `urn` when that has changed, too."""
        return ChangeCall(
            urn=urn or self.urn,
            id=self.id,
            old_inputs=self.inputs,
            old_outputs=self.outputs,
            news=news,
            preview=preview,
            ignore=ignore,
            timeout=timeout,
        )

    def all_dependencies(self) -> list[str]:
        """URNs this one needs: parent, dependencies, property dependencies, deletedWith, replaceWith."""
        urns = [self.parent] if self.parent else []
        urns += self.dependencies
        for deps in self.property_dependencies.values():
            urns += deps
        if self.deleted_with:
            urns.append(self.deleted_with)
        return urns + self.replace_with


@dataclass(slots=True, eq=False)
class PendingOperation:
    """An operation whose end was not recorded: `creating`, `updating`, `deleting`, `reading`, `importing`."""

    resource: ResourceState
    type: str
