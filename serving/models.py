"""Where a registered model lies inside a service: what v1's `Model.get_model_path` answers."""

from __future__ import annotations

import os
from pathlib import Path


def model_path(model_name: str, version: int | str | None = None) -> str:
    """The path of the registered file or folder.

    Args:
        model_name: the registered name.
        version: default: the newest of the versions deployed with the service; without one, a file or folder of that
            name where the process is, as in v1.

    Raises:
        FileNotFoundError: the service has no such model or version; the message lists what it has.
    """
    try:
        return _deployed(model_name, version)
    except FileNotFoundError:
        if version is None and Path(model_name).exists():
            return model_name
        raise


def _deployed(model_name: str, version: int | str | None) -> str:
    root = _root()
    folder = root / model_name
    versions = (
        sorted((p.name for p in folder.iterdir() if p.is_dir()), key=_number) if folder.is_dir() else []
    )
    wanted = str(version) if version is not None else (versions[-1] if versions else "")
    if wanted not in versions:
        found = sorted(str(p.relative_to(root)) for p in root.glob("*/*"))
        asked = model_name if version is None else f"{model_name} version {version}"
        raise FileNotFoundError(f"Model {asked} is not deployed with this service, which has: {found}")
    entries = sorted((folder / wanted).iterdir())
    # A registered file or folder lies there under its own name; several entries are a folder's content.
    return str(entries[0] if len(entries) == 1 else folder / wanted)


def _root() -> Path:
    """The `azureml-models` folder: AZUREML_MODEL_DIR, or two levels above it when there is one model."""
    value = os.environ.get("AZUREML_MODEL_DIR")
    if not value:
        raise FileNotFoundError("AZUREML_MODEL_DIR is not set: no model is deployed with this service")
    folder = Path(value)
    return folder.parent.parent if folder.parent.parent.name == "azureml-models" else folder


def _number(version: str) -> tuple[bool, int, str]:
    return (version.isdigit(), int(version) if version.isdigit() else 0, version)
