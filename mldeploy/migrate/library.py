"""Python's own functions and methods, of values that are known: what building a name or a path needs."""

from __future__ import annotations

import json
import os.path
import textwrap
from collections.abc import Callable, Sequence
from pathlib import PurePosixPath
from typing import Any, Final, cast

MOST: Final = 200
"""Items of a list that a loop goes through."""


def _join(*parts: str) -> str:
    return str(PurePosixPath(*[part.replace("\\", "/") for part in parts]))


def _range(*bounds: int) -> list[int]:
    return list(range(*bounds)[:MOST])


def _enumerate(items: Sequence[Any], start: int = 0) -> list[Any]:
    return [[index, item] for index, item in enumerate(items, start)]


def _zip(*items: Sequence[Any]) -> list[Any]:
    return [list(one) for one in zip(*items, strict=False)]


def _split(path: str) -> list[str]:
    suffix = PurePosixPath(path).suffix
    return [path.removesuffix(suffix), suffix]


def _same(value: Any) -> Any:
    return value


FUNCTIONS: Final[dict[tuple[str, ...], Callable[..., Any]]] = {
    ("os", "path", "join"): _join,
    ("os", "path", "abspath"): _same,
    ("os", "path", "realpath"): _same,
    ("os", "path", "normpath"): _join,
    ("os", "path", "expanduser"): _same,
    ("os", "path", "basename"): os.path.basename,
    ("os", "path", "dirname"): os.path.dirname,
    ("os", "path", "splitext"): _split,
    ("os", "getcwd"): lambda: ".",
    ("os", "fspath"): _same,
    ("Path", "cwd"): lambda: ".",
    ("Path",): _join,
    ("PurePath",): _join,
    ("PurePosixPath",): _join,
    ("json", "dumps"): json.dumps,
    ("json", "loads"): json.loads,
    ("textwrap", "dedent"): textwrap.dedent,
    ("str",): str,
    ("int",): int,
    ("float",): float,
    ("bool",): bool,
    ("len",): len,
    ("list",): list,
    ("tuple",): list,
    ("sorted",): sorted,
    ("min",): min,
    ("max",): max,
    ("round",): round,
    ("range",): _range,
    ("enumerate",): _enumerate,
    ("zip",): _zip,
}
"""Functions by the last parts of their names; lists stand for every sequence, texts for paths."""

_PATHS: Final[dict[str, Callable[[str], str]]] = {
    "parent": lambda path: str(PurePosixPath(path).parent),
    "name": lambda path: PurePosixPath(path).name,
    "stem": lambda path: PurePosixPath(path).stem,
    "suffix": lambda path: PurePosixPath(path).suffix,
}
_TEXT: Final = frozenset(
    [
        "format",
        "replace",
        "lower",
        "upper",
        "strip",
        "lstrip",
        "rstrip",
        "split",
        "rsplit",
        "join",
        "title",
        "capitalize",
        "startswith",
        "endswith",
        "zfill",
        "splitlines",
        "partition",
        "removeprefix",
        "removesuffix",
    ]
)
_TEXT_SAME: Final = frozenset({"encode", "decode", "as_posix", "resolve", "absolute", "expanduser"})


def text_attribute(value: str, name: str) -> str | None:
    """An attribute of a path."""
    found = _PATHS.get(name)
    return found(value) if found else None


def method(value: Any, name: str, arguments: Sequence[Any], named: dict[str, Any]) -> tuple[bool, Any]:
    """What a method of a plain value gives, and whether that is known. Lists and mappings are changed."""
    try:
        if isinstance(value, str):
            return _text_method(value, name, arguments, named)
        if isinstance(value, dict):
            return _mapping_method(cast("dict[Any, Any]", value), name, arguments, named)
        if isinstance(value, list):
            return _list_method(cast("list[Any]", value), name, arguments)
    except (TypeError, ValueError, KeyError, IndexError, AttributeError):
        pass  # As good as unknown: the script fails there, or a value inside is no plain one.
    return False, None


def _text_method(value: str, name: str, arguments: Sequence[Any], named: dict[str, Any]) -> tuple[bool, Any]:
    if name in _TEXT_SAME:
        return True, value
    if name in ("joinpath",):
        return True, _join(value, *arguments)
    if name in _TEXT:
        found: Any = getattr(value, name)(*arguments, **named)
        return True, list(cast("tuple[Any, ...]", found)) if isinstance(found, tuple) else found
    return False, None


def _mapping_method(
    value: dict[Any, Any], name: str, arguments: Sequence[Any], named: dict[str, Any]
) -> tuple[bool, Any]:
    match name:
        case "get" | "pop":
            return True, value.get(*arguments)
        case "items":
            return True, [[key, item] for key, item in value.items()]
        case "keys":
            return True, list(value)
        case "values":
            return True, list(value.values())
        case "copy":
            return True, dict(value)
        case "setdefault":
            return True, value.setdefault(*arguments)
        case "update":
            for one in arguments:
                value.update(one)
            value.update(named)
            return True, None
        case _:
            return False, None


def _list_method(value: list[Any], name: str, arguments: Sequence[Any]) -> tuple[bool, Any]:
    match name:
        case "append":
            value.append(arguments[0])
        case "extend":
            value.extend(arguments[0])
        case "insert":
            value.insert(arguments[0], arguments[1])
        case "copy":
            return True, list(value)
        case "index":
            return True, value.index(arguments[0])
        case _:
            return False, None
    return True, None
