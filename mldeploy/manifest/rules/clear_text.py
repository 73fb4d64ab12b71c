"""Secrets written in clear. Messages never repeat them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, cast

from mldeploy.manifest.draft import Draft
from mldeploy.manifest.nodes import Path as NodePath
from mldeploy.manifest.secret_forms import is_secret_name, secret_form
from mldeploy.manifest.validation import Fault

_NAMED: Final = ("environment_variables", "tags", "properties", "labels", "desired")
_LEAST = 8
_REFER = "write a reference: {config: <key>}, {env: <NAME>} or {keyvault: <name>}"
_REMOVE = "remove it from the manifest, and replace it where it is used"


def check(draft: Draft, root: Path) -> Iterator[Fault]:  # noqa: ARG001
    """Every text of the manifest, also those under unknown keys."""
    yield from _walk(draft.raw, (), named=False)


def _walk(value: Any, path: NodePath, *, named: bool) -> Iterator[Fault]:
    if isinstance(value, dict):
        for key, item in cast("dict[str, Any]", value).items():
            yield from _walk(item, (*path, key), named=named or key in _NAMED)
    elif isinstance(value, list):
        for index, item in enumerate(cast("list[Any]", value)):
            yield from _walk(item, (*path, index), named=named)
    elif isinstance(value, str) and len(value) >= _LEAST:
        fix = _REFER if "environment_variables" in path else _REMOVE
        found = secret_form(value)
        if found:
            yield Fault(path, f"looks like {found} in clear text; {fix}")
        elif named and " " not in value and is_secret_name(str(path[-1])):
            yield Fault(path, f"looks like a secret in clear text, by its name; {fix}")
