"""Advice on old conda files: what no longer installs, and what to write instead."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from mldeploy.artifacts.conda import read
from mldeploy.artifacts.script_imports import imports, known
from mldeploy.artifacts.wheels import too_old
from mldeploy.migrate.findings import MigrateError

_NAME = re.compile(r"^([A-Za-z0-9_.-]+)")
_PIN = re.compile(r"==?\s*([0-9][0-9A-Za-z.]*)")


@dataclass(frozen=True)
class Advice:
    """One thing to change."""

    where: str
    """`conda.yml:7`, `score.py:3`."""
    what: str
    """The line."""
    advice: str

    def to_json(self) -> dict[str, Any]:
        """As plain data."""
        return {"where": self.where, "what": self.what, "advice": self.advice}


REPLACED: Final = {
    "sklearn": "the package is called scikit-learn",
    "azureml-defaults": "remove it: the scoring server stands in for it, and nothing is installed for it",
    "azureml-sdk": "remove it: an entry script needs none of it (azureml-core only for `azureml.core` imports)",
    "azureml-monitoring": "remove it: `collect_model_data` of the service collects inputs and outputs",
    "azureml-webservice-schema": "replaced by inference-schema, with the same idea: decorators on `run()`",
    "azureml-model-management-sdk": "remove it: it was the predecessor of azureml-core",
    "gunicorn": "remove it: the scoring server brings its own",
    "flask": "remove it, unless the script imports it: the scoring server does not use it",
    "tensorflow-gpu": "the package is called tensorflow; its wheels find CUDA by themselves",
    "keras": "Keras is part of tensorflow; keras 3 stands alone",
}
"""Packages that are not wanted any more."""


def advise(conda: Path, scripts: list[Path] | None = None) -> list[Advice]:
    """What to change in a conda file, and in the entry scripts that use it.

    Args:
        conda: the conda file.
        scripts: entry scripts to look at too.

    Raises:
        MigrateError: a file cannot be read or parsed.
    """
    if not conda.is_file():
        raise MigrateError(f"{conda}: does not exist")
    found: list[Advice] = []
    parsed = read(conda, conda.name)
    for fault in parsed.errors:
        where, _, message = fault.partition(": ")
        found.append(Advice(where, "", _python_advice(message)))
    served = "the scoring server stands in for it"
    found += [Advice(conda.name, name, REPLACED.get(name, served)) for name in parsed.served]
    for entry in parsed.entries:
        advice = _package(entry.line)
        if advice:
            found.append(Advice(entry.where, entry.line, advice))
    for script in scripts or []:
        found += _imports(script)
    return found


def _python_advice(message: str) -> str:
    if "allowed are Python" in message:
        return f"{message} (pickles of an older Python mostly load, of an older scikit-learn not)"
    return message


def _package(line: str) -> str | None:
    match = _NAME.match(line)
    if match is None:
        return None
    name = match[1].lower().replace("_", "-")
    if name in REPLACED:
        return REPLACED[name]
    old = too_old(line)
    if old is not None:
        return old
    pin = _PIN.search(line)
    if pin is None and "://" not in line and not line.startswith("-") and not re.search(r"[<>~=]", line):
        return "not pinned: every build may get another version; write the one of the training environment"
    return None


def _imports(script: Path) -> list[Advice]:
    try:
        return advise_script(script.read_text("utf-8"), script.name)
    except (OSError, UnicodeDecodeError) as error:
        raise MigrateError(f"{script}: {getattr(error, 'strerror', None) or error}") from error


def advise_script(text: str, name: str) -> list[Advice]:
    """What to change in an entry script, by its imports."""
    try:
        listed = imports(text)
    except (SyntaxError, ValueError) as error:
        line, what = getattr(error, "lineno", 1), getattr(error, "text", None) or ""
        return [Advice(f"{name}:{line}", what.strip(), f"no Python 3: {getattr(error, 'msg', error)}")]
    found = [(one, known(one.name)) for one in listed]
    return [Advice(f"{name}:{one.line}", f"import {one.name}", said) for one, said in found if said]
