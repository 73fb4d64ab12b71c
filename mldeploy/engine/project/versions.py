"""Version ranges such as `>=3.1.0 <4.0.0 || >=5.0.0`, as `requiredPulumiVersion` has them (github.com/blang/semver)."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable

_COMPARED: dict[str, Callable[[tuple[int, ...], tuple[int, ...]], bool]] = {
    "": operator.eq,
    "=": operator.eq,
    "==": operator.eq,
    "!": operator.ne,
    "!=": operator.ne,
    ">": operator.gt,
    ">=": operator.ge,
    "<": operator.lt,
    "<=": operator.le,
}
_PART = re.compile(r"([<>=!]*)\s*v?(\d+)(?:\.(\d+|x))?(?:\.(\d+|x))?")


def parse_version(text: str) -> tuple[int, ...]:
    """(major, minor, patch) of a version. Raises ValueError."""
    match = re.match(r"v?(\d+)\.(\d+)\.(\d+)", text)
    if match is None:
        raise ValueError(f"{text!r} is no version")
    return tuple(int(part) for part in match.groups())


def older(version: str, than: str) -> bool:
    """Whether a version comes before another one; a pre-release comes before its release."""

    def place(text: str) -> tuple[tuple[int, ...], bool]:
        return parse_version(text), "-" not in text

    return place(version) < place(than)


def in_range(version: str, wanted: str) -> bool:
    """Whether the version is in the range. Raises ValueError for what is no range."""
    have = parse_version(version)
    return any(_all(have, part.strip(), wanted) for part in wanted.split("||"))


def _all(have: tuple[int, ...], part: str, wanted: str) -> bool:
    found = list(_PART.finditer(part))
    if not found or _PART.sub("", part).strip() or any(m[1] not in _COMPARED for m in found):
        raise ValueError(f"{wanted!r} is no version range (such as >=3.1.0 <4.0.0)")
    return all(_one(have, m[1], [m[2], m[3] or "x", m[4] or "x"]) for m in found)


def _one(have: tuple[int, ...], sign: str, parts: list[str]) -> bool:
    known = [int(p) for p in parts if p != "x"]
    if len(known) == 3 or sign in (">=", "<"):
        return _COMPARED[sign](have, tuple(known + [0] * (3 - len(known))))
    return _COMPARED[sign](have[: len(known)], tuple(known))
