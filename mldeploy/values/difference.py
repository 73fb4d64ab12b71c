"""Where two plain values differ, as a provider tells an engine."""

from __future__ import annotations

from typing import Any, cast

from mldeploy.values.property_value import UNKNOWN


def difference(old: Any, new: Any, path: str = "") -> dict[str, str]:
    """Where two plain values differ: property path (``golden[0].tolerance``) to ``add``, ``delete`` or
    ``update``. An absent key and null are the same."""
    if isinstance(old, dict) and isinstance(new, dict):
        before, after = cast("dict[str, Any]", old), cast("dict[str, Any]", new)
        found: dict[str, str] = {}
        for key in sorted(before.keys() | after.keys()):
            found |= difference(before.get(key), after.get(key), _join(path, key))
        return found
    if isinstance(old, list) and isinstance(new, list):
        first, second = cast("list[Any]", old), cast("list[Any]", new)
        found = {}
        for index in range(max(len(first), len(second))):
            here = first[index] if index < len(first) else None
            there = second[index] if index < len(second) else None
            found |= difference(here, there, f"{path}[{index}]")
        return found
    if old is None and new is None:
        return {}
    if old is None or new is None:
        return {path: "add" if old is None else "delete"}
    same = type(cast("object", old)) is type(cast("object", new)) or (_number(old) and _number(new))
    return {} if same and old == new and new is not UNKNOWN else {path: "update"}


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _join(path: str, key: str) -> str:
    if not key.replace("_", "a").isalnum():
        escaped = key.replace("\\", "\\\\").replace('"', '\\"')
        return f'{path}["{escaped}"]'
    return f"{path}.{key}" if path else key
