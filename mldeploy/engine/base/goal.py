"""What a program asks for: the goal of a registration and of a read."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from mldeploy.values.property_value import PropertyMap, Value


@dataclass(frozen=True, slots=True)
class Alias:
    """A name this resource may have had: a whole `urn`, or the parts that differed."""

    urn: str = ""
    name: str = ""
    type: str = ""
    stack: str = ""
    project: str = ""
    parent: str = ""
    no_parent: bool = False


@dataclass(slots=True)
class Goal:
    """The desired state of a resource, as registered. None means that the program did not say."""

    type: str
    name: str
    custom: bool
    properties: PropertyMap = field(default_factory=dict[str, Any])
    parent: str = ""
    protect: bool | None = None
    dependencies: list[str] = field(default_factory=list[str])
    provider: str = ""
    property_dependencies: dict[str, list[str]] = field(default_factory=dict[str, list[str]])
    delete_before_replace: bool | None = None
    ignore_changes: list[str] = field(default_factory=list[str])
    additional_secret_outputs: list[str] = field(default_factory=list[str])
    aliases: list[Alias] = field(default_factory=list[Alias])
    import_id: str = ""
    custom_timeouts: dict[str, float] = field(default_factory=dict[str, float])
    replace_on_changes: list[str] = field(default_factory=list[str])
    replacement_trigger: Value = None
    retain_on_delete: bool | None = None
    deleted_with: str = ""
    replace_with: list[str] = field(default_factory=list[str])
    hide_diff: list[str] = field(default_factory=list[str])


@dataclass(slots=True)
class ReadGoal:
    """A resource to read that Pulumi does not own (`Resource.get`)."""

    id: str
    type: str
    name: str
    provider: str
    parent: str
    properties: PropertyMap
    dependencies: list[str]
    additional_secret_outputs: list[str]
