"""Property paths such as `tags.owner`, `rules[0].port` and `["a.b"].c`; `*` matches any key or index."""

from __future__ import annotations

import re
from typing import Any

from mldeploy.values.property_value import PropertyMap, Secret, is_list, is_map

Path = list[str | int]

_QUOTED = re.compile(r"[^A-Za-z0-9_]")


def parse_path(text: str) -> Path:
    """Take a path apart. Raises ValueError where brackets or quotes are not closed."""
    path: Path = []
    rest = text
    if rest.startswith("."):
        raise ValueError(f"property path {text!r}: expected a name or an index at the start")
    while rest:
        if rest[0] == ".":
            rest = rest[1:]
            if not rest:
                raise ValueError(f"property path {text!r}: expected a name or an index at the end")
        elif rest.startswith('["'):
            key, rest = _quoted(rest, text)
            path.append(key)
        elif rest[0] == "[":
            inner, sep, rest = rest[1:].partition("]")
            if not sep:
                raise ValueError(f"property path {text!r}: '[' is not closed")
            if inner != "*" and not inner.isdecimal():
                raise ValueError(f"property path {text!r}: [{inner}] must be a number, * or a quoted key")
            path.append("*" if inner == "*" else int(inner))
        else:
            end = min((i for i in (rest.find("."), rest.find("[")) if i >= 0), default=len(rest))
            path.append(rest[:end])
            rest = rest[end:]
    return path


def _quoted(rest: str, text: str) -> tuple[str, str]:
    key = ""
    i = 2
    while i < len(rest):
        if rest[i] == "\\" and rest[i + 1 : i + 2] == '"':
            key += '"'
            i += 2
        elif rest[i] == '"':
            if rest[i + 1 : i + 2] != "]":
                break
            return key, rest[i + 2 :]
        else:
            key += rest[i]
            i += 1
    raise ValueError(f'property path {text!r}: the quoted key is not closed by "]')


def format_path(path: Path) -> str:
    """The path as text, the way diffs name it."""
    out = ""
    for part in path:
        if isinstance(part, int):
            out += f"[{part}]"
        elif _QUOTED.search(part):
            escaped = part.replace('"', '\\"')
            out += f'["{escaped}"]'
        else:
            out += f".{part}" if out else part
    return out


def path_contains(outer: Path, inner: Path) -> bool:
    """Whether `inner` is `outer` or lies below it."""
    if len(inner) < len(outer):
        return False
    return all(o in ("*", i) for o, i in zip(outer, inner, strict=False))


def _step(container: Any, part: str | int) -> tuple[Any, bool]:
    if isinstance(container, Secret):
        container = container.value
    if is_list(container) and isinstance(part, int):
        return (container[part], True) if part < len(container) else (None, False)
    if is_map(container) and isinstance(part, str):
        return (container[part], True) if part in container else (None, False)
    return None, False


def reset_path(path: Path, old: PropertyMap, new: PropertyMap) -> tuple[PropertyMap, bool]:
    """`new` with what `path` names set to what `old` has there, and whether that made sense.

    False when the path leads through elements that only one side has: such a change cannot be ignored.
    """
    result, ok = _reset(path, old, True, new, True)
    return (result if ok and is_map(result) else new), ok


def _reset(path: Path, old: Any, has_old: bool, new: Any, has_new: bool) -> tuple[Any, bool]:
    """Returns the new value at this place; the special `_Gone` marks removal."""
    if not path:
        return (old if has_old else _GONE), True
    if not has_old and not has_new:
        return _GONE, True
    if isinstance(new, Secret):
        inner, ok = _reset(path, old.value if isinstance(old, Secret) else old, has_old, new.value, has_new)
        return Secret(inner), ok
    if isinstance(old, Secret):
        old = old.value
    head, tail = path[0], path[1:]
    if head == "*":
        return _reset_all(tail, old, new)
    if is_map(new) and isinstance(head, str):
        return _reset_key(head, tail, old, new)
    if is_list(new) and isinstance(head, int):
        if not is_list(old) or head >= len(old) or head >= len(new):
            return new, False
        copy: list[Any] = list(new)
        value, ok = _reset(tail, old[head], True, copy[head], True)
        if ok and value is not _GONE:
            copy[head] = value
        return copy, ok
    return new, False


def _reset_key(head: str, tail: Path, old: Any, new: dict[str, Any]) -> tuple[Any, bool]:
    old_value, has_old = _step(old, head)
    new_value, has_new = _step(new, head)
    if tail and has_old != has_new:
        return new, False
    value, ok = _reset(tail, old_value, has_old, new_value, has_new)
    copy = dict(new)
    if not ok:
        return new, False
    if value is _GONE:
        copy.pop(head, None)
    else:
        copy[head] = value
    return copy, True


def _reset_all(tail: Path, old: Any, new: Any) -> tuple[Any, bool]:
    if is_map(new) and is_map(old):
        result: Any = dict(new)
        keys: list[Any] = sorted({*new, *old})
        for key in keys:
            result, ok = _reset_key(key, tail, old, result)
            if not ok:
                return new, False
        return result, True
    if is_list(new) and is_list(old):
        if not tail:
            return list(old), True
        if len(new) != len(old):
            return new, False
        items: list[Any] = []
        for o, n in zip(old, new, strict=True):
            value, ok = _reset(tail, o, True, n, True)
            if not ok:
                return new, False
            items.append(n if value is _GONE else value)
        return items, True
    return new, False


class _Gone:
    pass


_GONE = _Gone()
