"""Differences between property maps, and how providers' diffs are read."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Any

from mldeploy.engine.plugins.provider import DIFF_NONE, DIFF_SOME, DIFF_UNKNOWN, ProviderDiff
from mldeploy.values.property_path import Path, format_path, parse_path, path_contains
from mldeploy.values.property_value import PropertyMap, Secret, Value, deep_equals, is_list, is_map

_INTERNAL = "__"
_INIT_ERROR = "#initerror"


@dataclass(slots=True)
class ObjectDiff:
    """Added, deleted and changed paths with their values (old, new)."""

    changes: dict[str, tuple[str, Value, Value]] = field(default_factory=dict[str, Any])

    def keys(self) -> list[str]:
        """Top-level keys that differ, sorted."""
        return sorted({str(parse_path(path)[0]) for path in self.changes})


def diff_maps(old: PropertyMap, new: PropertyMap, *, internal: bool = False) -> ObjectDiff:
    """Leaf differences between two maps. Keys that begin with `__` belong to the engine and are skipped."""
    result = ObjectDiff()
    _diff_map([], old, new, result, internal)
    return result


def _diff_map(path: Path, old: dict[str, Any], new: dict[str, Any], out: ObjectDiff, internal: bool) -> None:
    for key in sorted({*old, *new}):
        if not internal and key.startswith(_INTERNAL):
            continue
        here = [*path, key]
        # A null is the same as an absent property.
        if old.get(key) is None and new.get(key) is None:
            continue
        if old.get(key) is None:
            out.changes[format_path(here)] = ("add", None, new[key])
        elif new.get(key) is None:
            out.changes[format_path(here)] = ("delete", old[key], None)
        else:
            _diff_value(here, old[key], new[key], out, internal)


def _diff_value(path: Path, old: Value, new: Value, out: ObjectDiff, internal: bool) -> None:
    if deep_equals(old, new):
        return
    if isinstance(old, Secret) and isinstance(new, Secret):
        inner = ObjectDiff()
        _diff_value(path, old.value, new.value, inner, internal)
        for key, (kind, before, after) in inner.changes.items():
            out.changes[key] = (
                kind,
                before if before is None else Secret(before),
                after if after is None else Secret(after),
            )
    elif is_map(old) and is_map(new):
        _diff_map(path, old, new, out, internal)
    elif is_list(old) and is_list(new):
        olds: list[Any] = old
        news: list[Any] = new
        for i in range(max(len(olds), len(news))):
            here = [*path, i]
            if i >= len(olds):
                out.changes[format_path(here)] = ("add", None, news[i])
            elif i >= len(news):
                out.changes[format_path(here)] = ("delete", olds[i], None)
            else:
                _diff_value(here, olds[i], news[i], out, internal)
    else:
        out.changes[format_path(path)] = ("update", old, new)


def resolve_unknown(diff: ProviderDiff, old: PropertyMap, new: PropertyMap) -> ProviderDiff:
    """A provider's diff; where it says nothing, what comparing the inputs says."""
    if diff.changes != DIFF_UNKNOWN:
        return diff
    differences = diff_maps(old, new)
    if not differences.changes:
        diff.changes = DIFF_NONE
    else:
        diff.changes = DIFF_SOME
        diff.changed_keys = differences.keys()
        diff.detailed = {path: (kind, True) for path, (kind, _, _) in differences.changes.items()}
    return diff


def invert(diff: ProviderDiff) -> ProviderDiff:
    """The diff seen from the other side: what was added is deleted."""
    swap = {
        "add": "delete",
        "add-replace": "delete-replace",
        "delete": "add",
        "delete-replace": "add-replace",
    }
    detailed = None
    if diff.detailed is not None:
        detailed = {path: (swap.get(kind, kind), inputs) for path, (kind, inputs) in diff.detailed.items()}
    return ProviderDiff(
        diff.changes,
        diff.replace_keys,
        diff.stable_keys,
        diff.changed_keys,
        detailed,
        diff.delete_before_replace,
        diff.triggered,
    )


def apply_replace_on_changes(diff: ProviderDiff, paths: list[str], *, has_init_errors: bool) -> ProviderDiff:
    """Turn updates of the named paths into replacements. Raises ValueError for a malformed path."""
    if diff.changes != DIFF_SOME and not has_init_errors:
        return diff
    outer = [parse_path(p) for p in paths]
    detailed = diff.detailed
    if detailed is not None:
        detailed = {
            path: (
                _as_replace(kind) if any(path_contains(o, parse_path(path)) for o in outer) else kind,
                inputs,
            )
            for path, (kind, inputs) in detailed.items()
        }
    replaces = list(diff.replace_keys)
    for key in diff.changed_keys:
        if key not in replaces and any(path_contains(o, parse_path(key)) for o in outer):
            replaces.append(key)
    changes = diff.changes
    if has_init_errors and any(path_contains(o, [_INIT_ERROR]) for o in outer):
        replaces.append(_INIT_ERROR)
        changes = DIFF_SOME
        if detailed is not None:
            detailed[_INIT_ERROR] = ("update-replace", False)
    return dataclasses.replace(diff, changes=changes, replace_keys=replaces, detailed=detailed)


def _as_replace(kind: str) -> str:
    return kind if kind.endswith("-replace") else f"{kind}-replace"
