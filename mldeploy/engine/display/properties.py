"""Property diffs of a step, as lines with a sign: nested, secrets masked, long values cut."""

from __future__ import annotations

from typing import Any

from mldeploy.engine.display.base import Row, show
from mldeploy.values.property_path import parse_path
from mldeploy.values.property_value import SECRET_SIG, SIG_KEY, is_list, is_map

_MISSING = object()


def diff_lines(row: Row, indent: str = "    ") -> list[str]:
    """What a step changes about a resource's inputs (or, after a refresh, its outputs)."""
    metadata = row.metadata
    old: dict[str, Any] = row.side("old").get("inputs") or {}
    new: dict[str, Any] = row.side("new").get("inputs") or {}
    detailed: dict[str, dict[str, Any]] | None = metadata.get("detailedDiff")
    if row.op in ("create", "import", "read"):
        return _tree("+", new, indent)
    if row.op in ("delete", "discard"):
        return _tree("-", old, indent)
    if detailed:
        return _detailed(row, detailed, indent)
    lines: list[str] = []
    _compare(old, new, indent, lines)
    return lines


def _tree(sign: str, value: Any, indent: str) -> list[str]:
    lines: list[str] = []
    if is_map(value) and SIG_KEY not in value:
        items: dict[str, Any] = value
        for key in sorted(items):
            child = items[key]
            if _is_branch(child):
                lines.append(f"{indent}{sign} {key}:")
                lines += _tree(sign, child, indent + "    ")
            else:
                lines.append(f"{indent}{sign} {key}: {show(child)}")
    elif is_list(value):
        elements: list[Any] = value
        for i, child in enumerate(elements):
            if _is_branch(child):
                lines.append(f"{indent}{sign} [{i}]:")
                lines += _tree(sign, child, indent + "    ")
            else:
                lines.append(f"{indent}{sign} [{i}]: {show(child)}")
    return lines


def _is_branch(value: Any) -> bool:
    if is_map(value):
        return bool(value) and SIG_KEY not in value
    return is_list(value) and bool(value)


def _compare(old: dict[str, Any], new: dict[str, Any], indent: str, lines: list[str]) -> None:
    for key in sorted({*old, *new}):
        before, after = old.get(key, _MISSING), new.get(key, _MISSING)
        if before == after and not _secret(after):
            continue
        if before is _MISSING:
            lines += _tree("+", {key: after}, indent)
        elif after is _MISSING:
            lines += _tree("-", {key: before}, indent)
        elif _is_branch(before) and _is_branch(after) and is_map(before) and is_map(after):
            lines.append(f"{indent}~ {key}:")
            _compare(before, after, indent + "    ", lines)
        elif before != after:
            lines.append(f"{indent}~ {key}: {show(before)} => {show(after)}")


def _secret(value: Any) -> bool:
    return is_map(value) and value.get(SIG_KEY) == SECRET_SIG


def _detailed(row: Row, detailed: dict[str, dict[str, Any]], indent: str) -> list[str]:
    lines: list[str] = []
    olds, news = row.side("old"), row.side("new")
    refreshed = row.metadata["op"] == "refresh"
    for path in sorted(detailed):
        entry = detailed[path]
        kind = str(entry["diffKind"])
        inputs = entry.get("inputDiff") or refreshed
        before = _at(olds.get("inputs" if inputs else "outputs") or {}, path)
        if before is _MISSING:
            before = _at(olds.get("outputs") or {}, path)
        after = _at(news.get("inputs") or {}, path)
        replace = "  (replaces)" if kind.endswith("-replace") else ""
        base = kind.removesuffix("-replace")
        if base == "add" or before is _MISSING:
            lines.append(f"{indent}+ {path}: {_text(after)}{replace}")
        elif base == "delete" or after is _MISSING:
            lines.append(f"{indent}- {path}: {_text(before)}{replace}")
        else:
            lines.append(f"{indent}~ {path}: {_text(before)} => {_text(after)}{replace}")
    return lines


def _text(value: Any) -> str:
    return "[unknown]" if value is _MISSING else show(value)


def _at(value: Any, path: str) -> Any:
    try:
        parts = parse_path(path)
    except ValueError:
        return _MISSING
    for part in parts:
        if is_map(value) and part in value:
            if SIG_KEY in value:
                return value
            value = value[part]
        elif is_list(value) and isinstance(part, int) and part < len(value):
            value = value[part]
        elif _secret(value):
            return value
        else:
            return _MISSING
    return value
