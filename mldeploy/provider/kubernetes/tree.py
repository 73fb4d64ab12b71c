"""Looking into the API's JSON, where any level may be missing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

Json = Mapping[str, Any]


def at(value: Any, *path: str) -> Any:
    """What is under ``path``, or None when a level of it is missing."""
    for key in path:
        if not isinstance(value, Mapping):
            return None
        value = cast("Json", value).get(key)
    return value


def obj(value: Any, *path: str) -> dict[str, Any]:
    """The object under ``path``, empty when there is none."""
    return cast("dict[str, Any]", at(value, *path) or {})


def items(value: Any, *path: str) -> list[dict[str, Any]]:
    """The list of objects under ``path``, empty when there is none."""
    return cast("list[dict[str, Any]]", at(value, *path) or [])


def text(value: Any, *path: str) -> str:
    """The text under ``path``, empty when there is none."""
    found = at(value, *path)
    return "" if found is None else str(found)


def number(value: Any, *path: str, default: int = 0) -> int:
    """The whole number under ``path``, ``default`` when there is none."""
    found = at(value, *path)
    return default if found is None else int(found)


def condition(value: Json, kind: str) -> dict[str, Any]:
    """The condition of an object's status with type ``kind``, empty when there is none."""
    missing: dict[str, Any] = {}
    return next((item for item in items(value, "status", "conditions") if item.get("type") == kind), missing)


def is_ready(pod: Json) -> bool:
    """Whether a pod is ready and not on its way out."""
    return not at(pod, "metadata", "deletionTimestamp") and condition(pod, "Ready").get("status") == "True"
