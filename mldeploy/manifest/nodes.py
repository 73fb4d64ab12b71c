"""A YAML document as a tree that remembers where everything was written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from mldeploy.manifest.errors import printable


class Mark(NamedTuple):
    """A place in a file; ``line`` and ``column`` count from 1."""

    file: str
    line: int
    column: int


class WrittenInt(int):
    """A whole number that remembers how it was written, so that a text field can have it: ``version: 3``."""

    text: str


class WrittenFloat(float):
    """A fraction that remembers how it was written, for messages: ``1.10`` is not ``1.1``."""

    text: str


Value = str | int | float | bool | None


@dataclass(slots=True)
class Scalar:
    """A text, number, boolean or null."""

    mark: Mark
    value: Value


@dataclass(slots=True)
class Items:
    """A list."""

    mark: Mark
    nodes: list[Node] = field(default_factory=list["Node"])


@dataclass(slots=True)
class Entry:
    """A value under a key, with the key's place."""

    key: Mark
    node: Node


@dataclass(slots=True)
class Table:
    """A mapping, in the order it was written."""

    mark: Mark
    entries: dict[str, Entry] = field(default_factory=dict[str, "Entry"])


Node = Scalar | Items | Table
Path = tuple[str | int, ...]


def plain(node: Node) -> Any:
    """The tree as dicts, lists and scalars."""
    if isinstance(node, Scalar):
        return node.value
    if isinstance(node, Items):
        return [plain(item) for item in node.nodes]
    return {key: plain(entry.node) for key, entry in node.entries.items()}


def locate(root: Node, path: Sequence[str | int]) -> Mark:
    """Where ``path`` was written: its key, an item's own place, or the nearest parent's."""
    mark, here = root.mark, root
    for part in path:
        if isinstance(here, Table) and isinstance(part, str) and part in here.entries:
            entry = here.entries[part]
            mark, here = entry.key, entry.node
        elif isinstance(here, Items) and isinstance(part, int) and part < len(here.nodes):
            here = here.nodes[part]
            mark = here.mark
        else:
            break
    return mark


def dotted(path: Sequence[str | int]) -> str:
    """``services.churn.golden[0].request``."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            name = printable(part)
            text += f".{name}" if text else name
    return text
