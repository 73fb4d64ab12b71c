"""`Model.get_model_path`, as azureml-core has it inside a service."""

from typing import Any, NoReturn

from serving.models import model_path

__all__ = ["Model"]


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
        """The path of the registered file or folder: see `serving.models.model_path`."""
        return model_path(model_name, version)
