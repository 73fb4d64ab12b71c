"""Manifest files as YAML, with comments where a person has to decide."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any, cast

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq

_HEAD = {
    "manifest.yaml": "Models and images, which every stack shares. manifest.<stack>.yaml is merged over it by name.",
    "manifest.local.yaml": "This machine: every service as a process on a port of its own.",
}
_SCHEMA = "# yaml-language-server: $schema=manifest.v1.schema.json\n"
_FLOW_KEYS = frozenset(
    {"tags", "properties", "primary_key", "secondary_key", "cert", "key", "password", "models", "steps"}
)
_INDENT = 2


def render(name: str, document: Mapping[str, Any], comments: Mapping[tuple[str, ...], list[str]]) -> str:
    """The text of one manifest file.

    Args:
        name: the file's name, which the first comment and the keys of ``comments`` depend on.
        document: its content.
        comments: lines by (file, path…); they go above the key at the path, or above its nearest parent.
    """
    yaml: Any = YAML()
    yaml.indent(mapping=_INDENT, sequence=4, offset=2)
    yaml.width = 120
    root = _node(document, "")
    for (file, *path), lines in comments.items():
        if file == name:
            _annotate(root, path, lines)
    stream = io.StringIO()
    yaml.dump(root, stream)
    head = _HEAD.get(name, f"The stack {name.split('.')[1]}, as v1 deployed it.")
    return f"{_SCHEMA}# {head}\n# Written by `mldeploy import-v1`: look for TO DECIDE.\n{stream.getvalue()}"


def _node(value: Any, key: str) -> Any:
    made: Any
    if isinstance(value, Mapping):
        items = cast("Mapping[str, Any]", value)
        made = CommentedMap()
        for name, item in items.items():
            made[name] = _node(item, name)
        if key in _FLOW_KEYS and not any(isinstance(item, Mapping | list) for item in items.values()):
            made.fa.set_flow_style()
        return made
    if isinstance(value, list):
        made = CommentedSeq([_node(item, "") for item in cast("list[Any]", value)])
        if key in _FLOW_KEYS:
            made.fa.set_flow_style()
        return made
    return value


def _annotate(root: Any, path: list[str], lines: list[str]) -> None:
    """Put lines above the last key of the path that is there and whose mapping is written as a block."""
    owner, key, depth = root, path[0], 0
    current: Any = root
    for index, name in enumerate(path):
        if not isinstance(current, CommentedMap):
            break
        holder: Any = current
        if name not in holder or holder.fa.flow_style():
            break
        owner, key, depth = holder, name, index
        current = holder[name]
    owner.yaml_set_comment_before_after_key(key, before="\n".join(lines), indent=depth * _INDENT)
