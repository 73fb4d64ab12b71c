"""Where a local service's collected inputs and outputs go (`collect_model_data`)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

from mldeploy.home import collected_dir, private_folder


def folder(root: Path, inputs: Mapping[str, Any]) -> Path | None:
    """The folder of this machine; below it there is one for each service.

    Args:
        root: the project; a relative destination is below it.
        inputs: the replica's inputs.

    Returns:
        None when nothing is collected, or it goes to Azure.

    Raises:
        OSError: it cannot be made.
    """
    given = _given(inputs)
    where = str(given.get("destination") or "")
    if not given.get("enabled", bool(given)) or where.startswith("https://"):
        return None
    return private_folder(root / where) if where else collected_dir()


def setting(root: Path, inputs: Mapping[str, Any], seen_at: Path | None = None) -> dict[str, Any]:
    """The scoring server's `collect_model_data`, if there is any; ``seen_at``: where a container sees the folder."""
    given = _given(inputs)
    if not given:
        return {}
    where = folder(root, inputs)
    return {"collect_model_data": given if where is None else {**given, "destination": str(seen_at or where)}}


def _given(inputs: Mapping[str, Any]) -> dict[str, Any]:
    found = inputs.get("collect_model_data")
    return cast("dict[str, Any]", found) if isinstance(found, dict) else {}
