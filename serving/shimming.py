"""Puts the stand-ins for Azure's packages on the path, where the real ones are not installed."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

_SHIMS = {
    "core": "azureml.core",
    "contrib": "azureml.contrib.services",
    "server": "azureml_inference_server_http",
    "monitoring": "azureml.ai.monitoring",
}


def add_shims() -> list[str]:
    """Add what is missing, at the end of the path; the names of what was added."""
    added: list[str] = []
    for name, module in _SHIMS.items():
        if not _installed(module):
            sys.path.append(str(Path(__file__).parent / "shims" / name))
            added.append(name)
    if "monitoring" not in added:
        _replace_monitoring()
    return added


def _replace_monitoring() -> None:
    """The real one only talks to a container beside Azure ML's own endpoints; here it would lose everything."""
    folder = Path(__file__).parent / "shims/monitoring/azureml/ai/monitoring"
    for name, file in (("", "__init__.py"), (".context", "context.py")):
        full = f"azureml.ai.monitoring{name}"
        spec = importlib.util.spec_from_file_location(full, folder / file)
        assert spec is not None and spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[full] = module
        spec.loader.exec_module(module)


def _installed(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:
        return False
