"""Secrets written in clear. Messages never repeat them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, cast

from mldeploy.manifest.draft import Draft
from mldeploy.manifest.nodes import Path as NodePath
from mldeploy.manifest.secret_forms import clear_secret, secret_form
from mldeploy.manifest.validation import Fault

_NAMED: Final = ("environment_variables", "tags", "properties", "labels", "desired")
_REFER = "write a reference: {config: <key>}, {env: <NAME>} or {keyvault: <name>}"
_REMOVE = "remove it from the manifest, and replace it where it is used"


def check(draft: Draft, root: Path) -> Iterator[Fault]:  # noqa: ARG001
    """Every text of the manifest, also those under unknown keys."""
    yield from _walk(draft.raw, (), named=False, allowed=frozenset())


def _walk(value: Any, path: NodePath, *, named: bool, allowed: frozenset[str]) -> Iterator[Fault]:
    if isinstance(value, dict):
        section = cast("dict[str, Any]", value)
        allowed |= _allowed(section)
        for key, item in section.items():
            yield from _walk(item, (*path, key), named=named or key in _NAMED, allowed=allowed)
    elif isinstance(value, list):
        for index, item in enumerate(cast("list[Any]", value)):
            yield from _walk(item, (*path, index), named=named, allowed=allowed)
    elif isinstance(value, str) or (named and isinstance(value, int) and not isinstance(value, bool)):
        variable = "environment_variables" in path
        if variable and path[-1] in allowed:
            return
        found = clear_secret(str(path[-1]), str(value)) if named else secret_form(str(value))
        if found:
            by_name = ", by its name" if found == "a secret" else ""
            or_not = "; if it is none: not_secret: [...]" if by_name and variable else ""
            fix = _REFER if variable else _REMOVE
            yield Fault(path, f"looks like {found} in clear text{by_name}; {fix}{or_not}")


def _allowed(section: dict[str, Any]) -> frozenset[str]:
    """The names that an image says are those of no secrets."""
    names: object = section.get("not_secret")
    return frozenset(map(str, cast("list[Any]", names))) if isinstance(names, list) else frozenset()
