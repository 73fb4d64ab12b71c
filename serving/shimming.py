"""Puts the stand-ins for Azure's packages on the path, where the real ones are not installed."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

_SHIMS = {
    "core": "azureml.core",
    "contrib": "azureml.contrib.services",
    "server": "azureml_inference_server_http",
}


def add_shims() -> list[str]:
    """Add what is missing, at the end of the path; the names of what was added."""
    added: list[str] = []
    for name, module in _SHIMS.items():
        if not _installed(module):
            sys.path.append(str(Path(__file__).parent / "shims" / name))
            added.append(name)
    return added


def _installed(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:
        return False
