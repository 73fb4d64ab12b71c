"""`EntryScript`, with which scripts of a ParallelRunStep log and find their folders.

Source: Microsoft's "Debug ParallelRunStep", its helper `EntryScript`: a logger, `working_dir`, `output_dir`, `config`.
"""

import logging
import os
import sys
import tempfile
from pathlib import Path

__all__ = ["EntryScript"]


class EntryScript:
    """The helper of one worker process; each `EntryScript()` is the same one."""

    _one: "EntryScript | None" = None

    def __new__(cls) -> "EntryScript":
        if cls._one is None:
            cls._one = super().__new__(cls)
            cls._one._start()
        return cls._one

    def _start(self) -> None:
        self.logger = logging.getLogger("EntryScript")
        if not self.logger.handlers:
            self.logger.addHandler(logging.StreamHandler(sys.stdout))
        self.logger.setLevel(logging.INFO)
        self.output_dir = os.environ.get("AZUREML_BI_OUTPUT_PATH") or str(Path.cwd())
        self._working_dir = ""

    @property
    def log(self) -> logging.Logger:
        """The logger, by its older name."""
        return self.logger

    @property
    def working_dir(self) -> str:
        """A folder of this process for what is temporary; made when it is first asked for."""
        if not self._working_dir:
            self._working_dir = tempfile.mkdtemp(prefix="entry-script-")
        return self._working_dir

    @property
    def config(self) -> "dict[str, str]":
        """Where things are, as strings."""
        return {"output_dir": self.output_dir, "working_dir": self.working_dir}
