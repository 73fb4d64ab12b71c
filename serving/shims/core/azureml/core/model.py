"""`Model.get_model_path`, as azureml-core has it inside a service."""

import os
from pathlib import Path
from typing import Any, NoReturn

__all__ = ["Model"]


def _root() -> Path:
    """The `azureml-models` folder: AZUREML_MODEL_DIR, or two levels above it when there is one model."""
    value = os.environ.get("AZUREML_MODEL_DIR")
    if not value:
        raise RuntimeError("AZUREML_MODEL_DIR is not set: no model is deployed with this service")
    folder = Path(value)
    return folder.parent.parent if folder.parent.parent.name == "azureml-models" else folder


def _number(version: str) -> tuple[bool, int, str]:
    return (version.isdigit(), int(version) if version.isdigit() else 0, version)


class _ModelType(type):
    def __getattr__(cls, name: str) -> NoReturn:
        raise AttributeError(
            f"azureml.core.model.Model.{name} is not there: the scoring server brings only get_model_path. "
            "Add azureml-core to the conda file to have all of it."
        )


class Model(metaclass=_ModelType):
    """A registered model inside a service."""

    def __init__(self, *_args: Any, **_kwargs: Any) -> None:
        raise RuntimeError(
            "Model(workspace, …) needs a workspace. Inside a service use Model.get_model_path(name), or add "
            "azureml-core to the conda file."
        )

    @staticmethod
    def get_model_path(model_name: str, version: "int | str | None" = None, _workspace: Any = None) -> str:
        """The path of the registered file or folder.

        Args:
            model_name: the registered name.
            version: default: the newest of the versions deployed with the service.

        Raises:
            FileNotFoundError: the service has no such model or version; the message lists what it has.
        """
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
