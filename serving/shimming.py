"""Puts the stand-ins for Azure's packages on the path, where the real ones are not installed.

Real ones need help inside a service: azureml-core looks for models in the wrong folder, and the monitoring packages
only talk to what stands beside Azure ML's own endpoints. They are met at their import, whoever imports them and when.
"""

from __future__ import annotations

import importlib.abc
import importlib.machinery
import importlib.util
import os
import pkgutil
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

from serving.models import model_path

_FOLDER = Path(__file__).parent / "shims"
_SHIMS = {
    "core": "azureml/core",
    "contrib": "azureml/contrib/services",
    "server": "azureml_inference_server_http",
    "monitoring": "azureml/ai/monitoring",
    "parallel": "azureml_user",
}
_REPLACED = ("azureml.ai.monitoring", "azureml.monitoring")
"""The real ones of these would lose everything that they are given."""
_MOVED = {"sklearn.externals.joblib": "joblib", "sklearn.externals.six": "six"}
"""Modules that scikit-learn had until 0.23, and the packages that they were copies of."""


def add_shims() -> list[str]:
    """Add what is missing, at the end of the path; the names of what was added."""
    added = [name for name, module in _SHIMS.items() if not _installed(module)]
    sys.path += [str(_FOLDER / name) for name in (*added, "entry")]
    for name in ("azureml", "azureml.contrib", "azureml.ai"):
        module = sys.modules.get(name)
        if module is not None:  # imported before the path was complete
            module.__path__ = pkgutil.extend_path(module.__path__, name)
    if not any(isinstance(finder, _Finder) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Finder())
    return added


def _installed(folder: str) -> bool:
    """Whether a package is on the path, without importing what it is part of."""
    return any((Path(entry or ".") / folder).is_dir() for entry in sys.path)


class _Finder(importlib.abc.MetaPathFinder):
    """Answers for the modules of installed packages that a service needs otherwise."""

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None,
        target: ModuleType | None = None,  # noqa: ARG002 (the protocol's)
    ) -> importlib.machinery.ModuleSpec | None:
        """The stand-in of a replaced module; azureml-core's own model module, mended; None for all others."""
        if fullname.startswith(_REPLACED):
            folder = (_FOLDER / "monitoring").joinpath(*fullname.split(".")[:-1])
            return importlib.machinery.PathFinder.find_spec(fullname, [str(folder)])
        if fullname in _MOVED and importlib.util.find_spec(_MOVED[fullname]) is not None:
            return importlib.machinery.ModuleSpec(fullname, _MovedLoader(_MOVED[fullname]))
        if fullname == "azureml.core.model":
            spec = importlib.machinery.PathFinder.find_spec(fullname, path)
            if spec is not None and isinstance(spec.loader, importlib.machinery.SourceFileLoader):
                spec.loader = _ModelLoader(spec.loader.name, spec.loader.path)
            return spec
        return None


class _MovedLoader(importlib.abc.Loader):
    """Gives a package under the name that it had inside another."""

    def __init__(self, name: str) -> None:
        self._name = name

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType:  # noqa: ARG002 (the protocol's)
        """The package itself."""
        module = importlib.import_module(self._name)
        self._own = module.__spec__
        return module

    def exec_module(self, module: ModuleType) -> None:
        """Nothing to run; the import system has given it the other name's spec."""
        module.__spec__ = self._own


class _ModelLoader(importlib.machinery.SourceFileLoader):
    """Loads `azureml.core.model` and gives its `Model` a `get_model_path` that finds the service's models."""

    def exec_module(self, module: ModuleType) -> None:
        """Run the module's code, then mend it."""
        super().exec_module(module)
        model: Any = getattr(module, "Model", None)
        own: Callable[..., str] | None = getattr(model, "get_model_path", None)
        if own is not None:
            model.get_model_path = staticmethod(_finding(own))


def _finding(own: Callable[..., str]) -> Callable[..., str]:
    def get_model_path(model_name: str, version: int | str | None = None, _workspace: Any = None) -> str:
        """The service's model; without one, what azureml-core finds in a workspace."""
        try:
            return model_path(model_name, version)
        except FileNotFoundError:
            if _workspace is None and "AZUREML_RUN_ID" not in os.environ:
                raise
        return own(model_name, version, _workspace)

    return get_model_path
