"""What entry scripts use of azureml-core, so that they run without it: `Model.get_model_path`, `Run.get_context`."""

from typing import Any


def __getattr__(name: str) -> Any:
    if name == "Model":
        from azureml.core.model import Model

        return Model
    if name == "Run":
        from azureml.core.run import Run

        return Run
    raise AttributeError(
        f"azureml.core.{name} is not there: the scoring server brings only Model.get_model_path and Run.get_context. "
        "Add azureml-core to the conda file to have all of it."
    )
