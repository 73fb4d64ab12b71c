"""YAML as the CLI reads it: the scalars of its parser (gopkg.in/yaml.v3), printed as Go prints them.

PyYAML follows YAML 1.1, where `12:30` is 750 and `yes` is true; the values that programs and states see would differ.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any, cast

import yaml

from mldeploy.engine.base.errors import EngineError
from mldeploy.values.property_value import is_list, is_map

_WORDS: dict[str, Any] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    **dict.fromkeys((".nan", ".NaN", ".NAN"), math.nan),
    **dict.fromkeys((".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF"), math.inf),
    **dict.fromkeys(("-.inf", "-.Inf", "-.INF"), -math.inf),
}
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_INTEGERS = (
    (re.compile(r"([-+]?)0[xX]([0-9a-fA-F]+)"), 16),
    (re.compile(r"([-+]?)0[bB]([01]+)"), 2),
    (re.compile(r"([-+]?)0[oO]?([0-7]+)"), 8),
    (re.compile(r"([-+]?)([1-9][0-9]*|0)"), 10),
)
_TIME = re.compile(
    r"(\d{4})-(\d{1,2})-(\d{1,2})"
    r"(?:(?:[Tt](?P<h>\d{1,2}):(\d{1,2}):(\d{1,2})(?P<f>\.\d+)?(?P<z>Z|[-+]\d\d:\d\d))"
    r"|(?: (?P<h2>\d{1,2}):(\d{1,2}):(\d{1,2})(?P<f2>\.\d+)?))?"
)


class GoTime:
    """A timestamp with the texts that Go gives it: configuration holds `time.String()`."""

    def __init__(self, moment: datetime, nanoseconds: int) -> None:
        self.moment = moment
        self.nanoseconds = nanoseconds

    def __str__(self) -> str:
        fraction = f".{self.nanoseconds:09d}".rstrip("0") if self.nanoseconds else ""
        offset = self.moment.strftime("%z")
        zone = "UTC" if offset == "+0000" else offset
        return f"{self.moment:%Y-%m-%d %H:%M:%S}{fraction} {offset} {zone}"


def _timestamp(text: str) -> GoTime | None:
    match = _TIME.fullmatch(text)
    if match is None:
        return None
    groups = match.groups()
    year, month, day = (int(part) for part in groups[:3])
    clock = groups[3:6] if match["h"] else groups[8:11] if match["h2"] else ("0", "0", "0")
    fraction = (match["f"] or match["f2"] or ".0")[1:10]
    zone = UTC
    if match["z"] and match["z"] != "Z":
        sign = -1 if match["z"][0] == "-" else 1
        zone = timezone(sign * timedelta(hours=int(match["z"][1:3]), minutes=int(match["z"][4:])))
    try:
        moment = datetime(year, month, day, *(int(part) for part in clock), tzinfo=zone)
    except ValueError:
        return None
    return GoTime(moment, int(fraction.ljust(9, "0")))


def plain_scalar(text: str) -> Any:
    """What an unquoted scalar means."""
    if text in _WORDS:
        return _WORDS[text]
    if not text or (text[0] not in "+-." and not text[0].isdigit()):
        return text
    if text[0] != "." and (time := _timestamp(text)) is not None:
        return time
    plain = text.replace("_", "")
    if text[0] != ".":
        for pattern, base in _INTEGERS:
            if match := pattern.fullmatch(plain):
                value = int(match[1] + match[2], base)
                if -(2**63) <= value < 2**64:
                    return value
                break
    return float(plain) if _FLOAT.fullmatch(plain) else text


class _Loader(yaml.SafeLoader):
    """Resolves plain scalars by the rules above; a key that stands twice is an error, as it is for the CLI."""

    def resolve(self, kind: Any, value: Any, implicit: Any) -> str:
        if kind is yaml.ScalarNode and implicit[0] and value != "<<":
            return "!plain"
        return cast("Any", super()).resolve(kind, value, implicit)

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        seen: set[Any] = set()
        for key_node, _ in node.value:
            if key_node.tag != "tag:yaml.org,2002:merge" and isinstance(key_node, yaml.ScalarNode):
                if key_node.value in seen:
                    line = key_node.start_mark.line + 1
                    raise yaml.YAMLError(f"line {line}: key {key_node.value!r} stands twice")
                seen.add(key_node.value)
        return super().construct_mapping(node, deep=deep)


def _plain(loader: Any, node: Any) -> Any:
    return plain_scalar(loader.construct_scalar(node))


_add_constructor = cast("Callable[[str, Any], None]", _Loader.add_constructor)
_add_constructor("!plain", _plain)
for _tag in ("int", "float", "bool", "null", "timestamp"):
    _add_constructor(f"tag:yaml.org,2002:{_tag}", _plain)


def load_mapping(path: Path) -> dict[str, Any]:
    """A YAML file's mapping, empty for an empty file. Raises EngineError that names the file."""
    try:
        data: Any = yaml.load(path.read_text(encoding="utf-8-sig"), Loader=_Loader)  # noqa: S506 - a SafeLoader
    except OSError as error:
        raise EngineError(f"cannot read {path}: {error.strerror}") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise EngineError(f"{path}: not valid YAML: {error}") from None
    if data is None:
        return {}
    if not is_map(data):
        raise EngineError(f"{path}: expected a mapping, got {kind_of(data)}")
    return {key_text(key): value for key, value in data.items()}


def kind_of(value: Any) -> str:
    """The value's kind in YAML's words, for messages."""
    kinds = (
        (bool, "a boolean"),
        (int, "a number"),
        (float, "a number"),
        (str, "a text"),
        (dict, "a mapping"),
    )
    if value is None:
        return "nothing"
    return next(
        (name for kind, name in kinds if isinstance(value, kind)), "a list" if is_list(value) else "a date"
    )


def key_text(key: Any) -> str:
    """A mapping's key as Go prints it."""
    if key is None:
        return "<nil>"
    return key if isinstance(key, str) else scalar_text(key)


def scalar_text(value: Any) -> str:
    """A scalar as configuration holds it. Raises ValueError for numbers that JSON does not have."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return _float_text(value)
    return str(value)


def _float_text(value: float) -> str:
    """The shortest form, as Go's `encoding/json` writes it."""
    if not math.isfinite(value):
        raise ValueError(f"{value} is no number that configuration can hold")
    if value == 0:
        return "0"  # also of -0.0: the CLI writes the file anew before it reads it, and loses the sign
    if 1e-6 <= abs(value) < 1e21:
        text = format(Decimal(repr(value)), "f")
        return text[:-2] if text.endswith(".0") else text
    return re.sub(r"e([-+])0", r"e\1", repr(value)).replace(".0e", "e")


def json_text(value: Any) -> str:
    """A list or mapping as the JSON text that configuration holds: keys sorted, as Go's `encoding/json` escapes."""
    if is_map(value):
        named = {key_text(k): v for k, v in value.items()}
        return "{" + ",".join(f"{_quoted(k)}:{json_text(named[k])}" for k in sorted(named)) + "}"
    if is_list(value):
        elements: list[Any] = value
        return "[" + ",".join(json_text(item) for item in elements) + "]"
    if value is None:
        return "null"
    return _quoted(str(value)) if isinstance(value, str | GoTime) else scalar_text(value)


_ESCAPED = {c: f"\\u{ord(c):04x}" for c in "<>&\u2028\u2029"}


def _quoted(text: str) -> str:
    return "".join(_ESCAPED.get(c, c) for c in json.dumps(text, ensure_ascii=False))
