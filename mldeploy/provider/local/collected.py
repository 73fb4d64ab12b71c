"""Where a local service's collected inputs and outputs go (`collect_model_data`)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mldeploy.home import collected_dir, private_folder


def folder(root: Path, collect: Mapping[str, Any]) -> Path | None:
    """The folder of this machine; below it there is one for each service.

    Args:
        root: the project; a relative destination is below it.
        collect: the replica's `collect_model_data`.

    Returns:
        None when nothing is collected, or it goes to Azure.

    Raises:
        OSError: it cannot be made.
    """
    where = str(collect.get("destination") or "")
    if not collect.get("enabled", bool(collect)) or where.startswith("https://"):
        return None
    return private_folder(root / where) if where else collected_dir()


def setting(root: Path, collect: Mapping[str, Any], seen_at: Path | None = None) -> dict[str, Any]:
    """The scoring server's `collect_model_data`, if there is any; ``seen_at``: where a container sees the folder."""
    if not collect:
        return {}
    where = folder(root, collect)
    return {
        "collect_model_data": collect if where is None else {**collect, "destination": str(seen_at or where)}
    }
