"""Where models come from."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from mldeploy.manifest.draft import Draft
from mldeploy.manifest.errors import shown
from mldeploy.manifest.validation import Fault

_RUN = re.compile(r"runs:/[A-Za-z0-9_.-]+/[^/].*")
_REGISTERED = re.compile(r"models:/[^/@]+(/[0-9]+|@[^/@]+)")
_JOB = re.compile(r"azureml://jobs/[A-Za-z0-9_.-]+/outputs/[^/].*")
_ALLOWED = (
    "allowed: a path in the project, runs:/<run id>/<path>, models:/<name>/<version>, models:/<name>@<alias>, "
    "azureml://jobs/<job>/outputs/<path>"
)


def check(draft: Draft, root: Path) -> Iterator[Fault]:  # noqa: ARG001
    """Sources of a known form."""
    for name, model in draft.models.items():
        message = _source(model.source)
        if message:
            yield Fault(("models", name, "source"), message)


def _source(source: str) -> str | None:
    if source.startswith("runs:"):
        if _RUN.fullmatch(source) and ".." not in source.split("/"):
            return None
        return f"{shown(source)} names no output of a run; allowed: runs:/<run id>/<path>"
    if source.startswith("models:"):
        if _REGISTERED.fullmatch(source):
            return None
        return f"{shown(source)} names no registered model; allowed: models:/<name>/<version>, models:/<name>@<alias>"
    if source.startswith("azureml:"):
        if _JOB.fullmatch(source) and ".." not in source.split("/"):
            return None
        return f"{shown(source)} names no output of a job; allowed: azureml://jobs/<job>/outputs/<path>"
    if "://" in source:
        return f"{shown(source)} is no source; {_ALLOWED}"
    return None
