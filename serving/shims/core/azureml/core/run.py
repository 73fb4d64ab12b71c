"""`Run.get_context()`, as scripts of a ParallelRunStep use it: metrics become log lines, there is no workspace."""

import logging
import os
from typing import Any, NoReturn

__all__ = ["Run"]

_log = logging.getLogger("azureml.core.run")


class Run:
    """The run that a script is in, without Azure ML."""

    id = os.environ.get("AZUREML_RUN_ID", "local")

    @classmethod
    def get_context(cls, allow_offline: bool = True, **_more: Any) -> "Run":
        """The current run."""
        del allow_offline
        return cls()

    def log(self, name: str, value: Any, description: str = "", **_more: Any) -> None:
        """Write a metric to the log."""
        _log.info("metric %s = %s%s", name, value, f" ({description})" if description else "")

    def log_list(self, name: str, value: Any, description: str = "", **_more: Any) -> None:
        """Write a list of values to the log."""
        self.log(name, value, description)

    def log_row(self, name: str, description: str = "", **columns: Any) -> None:
        """Write a row of a table to the log."""
        self.log(name, columns, description)

    def get_details(self) -> "dict[str, Any]":
        """What is known of the run."""
        return {"runId": self.id, "status": "Running"}

    def flush(self, timeout_seconds: int = 300) -> None:
        """Log lines are not held back."""

    def complete(self) -> None:
        """The job ends when its files are done."""

    def __getattr__(self, name: str) -> NoReturn:
        raise AttributeError(
            f"Run.{name} needs a workspace, which there is none here: the scoring server brings log, log_list, "
            "log_row, get_details, flush, complete and id. Models are found by Model.get_model_path(name), inputs come "
            "as the parameter of run()."
        )
