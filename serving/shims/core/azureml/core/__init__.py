"""What entry scripts use of azureml-core, so that they run without it: `Model.get_model_path`."""

from typing import Any


def __getattr__(name: str) -> Any:
    if name == "Model":
        from azureml.core.model import Model

        return Model
    raise AttributeError(
        f"azureml.core.{name} is not there: the scoring server brings only Model.get_model_path. "
        "Add azureml-core to the conda file to have all of it."
    )
