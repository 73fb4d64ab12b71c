"""What a module twin can hold, and how long texts are split to fit it.

Sources: "Understand and use module twins in IoT Hub" (keys, depth, sizes) and the IoT Edge agent, which reads
`createOptions`, `createOptions01` … `createOptions07`, each of at most 512 characters, as one text.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, cast

CHUNK = 512
CHUNKS = 8
MAX_DESIRED_BYTES = 32 * 1024
"""The hub's limit for the desired properties of one module twin."""
_MAX_DEPTH = 10
_MAX_VALUE_BYTES = 4 * 1024
_MAX_KEY_BYTES = 1024
_MAX_INTEGER = 4503599627370495
_BAD_KEY = re.compile(r"[.$\s\x00-\x1f\x7f-\x9f]")


def compact(value: Any) -> str:
    """JSON without spaces, keys sorted, ASCII only: equal text for equal values, one byte a character."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)


def split(text: str, name: str = "createOptions") -> dict[str, str]:
    """``text`` under as many numbered keys as it needs.

    Raises:
        ValueError: it is longer than all keys together can hold, or not ASCII.
    """
    if not text.isascii():
        raise ValueError(f"{name} must be ASCII, so that a character is a byte")
    if len(text) > CHUNK * CHUNKS:
        raise ValueError(
            f"{name} has {len(text)} characters as JSON; a twin holds {CHUNKS} x {CHUNK} = {CHUNK * CHUNKS}"
        )
    pieces = [text[start : start + CHUNK] for start in range(0, len(text), CHUNK)] or [""]
    return {name if index == 0 else f"{name}{index:02d}": piece for index, piece in enumerate(pieces)}


def join(settings: Mapping[str, Any], name: str = "createOptions") -> str:
    """The opposite of :func:`split`; also takes the spelling `createoptions` that older manifests have."""
    found = {
        int(match["index"] or 0): str(value)
        for key, value in settings.items()
        if (match := re.fullmatch(rf"{name}(?P<index>[0-9]*)", key, re.IGNORECASE))
    }
    return "".join(found[index] for index in sorted(found))


def faults(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """(path, what a twin refuses and what it takes) for desired properties ``value``, and their size as a
    whole."""
    size = len(compact(value))
    if size > MAX_DESIRED_BYTES:
        yield path, f"takes {size} bytes; the desired properties of a module hold {MAX_DESIRED_BYTES}"
    yield from _faults(value, path, 0)


def _faults(value: Any, path: str, depth: int) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        if depth > _MAX_DEPTH:
            yield path, f"is nested deeper than {_MAX_DEPTH} levels"
            return
        for key, item in cast("dict[str, Any]", value).items():
            here = f"{path}.{key}" if path else key
            yield from ((here, reason) for reason in key_faults(key))
            yield from _faults(item, here, depth + 1)
    elif isinstance(value, list):
        if depth > _MAX_DEPTH:
            yield path, f"is nested deeper than {_MAX_DEPTH} levels"
            return
        for index, item in enumerate(cast("list[Any]", value)):
            yield from _faults(item, f"{path}[{index}]", depth + 1)
    elif isinstance(value, str) and len(value.encode()) > _MAX_VALUE_BYTES:
        yield path, f"is a text of {len(value.encode())} bytes; a twin holds {_MAX_VALUE_BYTES}"
    elif (
        isinstance(value, int)
        and not isinstance(value, bool)
        and not -_MAX_INTEGER - 1 <= value <= _MAX_INTEGER
    ):
        yield path, f"is {value}; whole numbers of a twin lie within -2^52 and 2^52 - 1"


def key_faults(key: str) -> Iterator[str]:
    """What a twin refuses in a property's name."""
    if not key or len(key.encode()) > _MAX_KEY_BYTES:
        yield f"is a name of {len(key.encode())} bytes; allowed: 1 to {_MAX_KEY_BYTES}"
    elif _BAD_KEY.search(key):
        yield "has a name with a dot, a dollar sign, a space or a control character, which a twin refuses"
