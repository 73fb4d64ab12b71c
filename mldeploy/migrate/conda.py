# ruff: noqa: E501 - a row of a table is a line
"""Advice on old conda files: what no longer installs, and what to write instead."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from mldeploy.artifacts.conda import read, too_old
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
    "azureml-train-automl": "AutoML models load without it mostly; keep the exact versions of the training run",
    "azureml-monitoring": "remove it: `collect_model_data` of the service collects inputs and outputs",
    "azureml-webservice-schema": "replaced by inference-schema, with the same idea: decorators on `run()`",
    "azureml-model-management-sdk": "remove it: it was the predecessor of azureml-core",
    "gunicorn": "remove it: the scoring server brings its own",
    "flask": "remove it, unless the script imports it: the scoring server does not use it",
    "tensorflow-gpu": "the package is called tensorflow; its wheels find CUDA by themselves",
    "keras": "Keras is part of tensorflow; keras 3 stands alone",
}
"""Packages that are not wanted any more."""

_MODULES: Final = {
    "sklearn.externals": "removed in scikit-learn 0.23: the scoring server answers for joblib and six, everywhere else write `import joblib`",
    "azureml.monitoring": "ModelDataCollector is not needed: `collect_model_data` of the service collects",
    "azureml.contrib.services": "works as it is: the scoring server has AMLRequest, AMLResponse and rawhttp",
    "azureml.core": "`Model.get_model_path` works as it is; everything else of azureml.core has to be listed in the conda file",
    "azureml.webservice_schema": "replaced by inference_schema",
    "cPickle": "Python 2: `import pickle`",
}


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
        tree = ast.parse(text)
    except SyntaxError as error:
        return [Advice(f"{name}:{error.lineno}", (error.text or "").strip(), f"no Python 3: {error.msg}")]
    found: list[Advice] = []
    for node in ast.walk(tree):
        for module in _imported(node):
            advice = next(
                (text for gone, text in _MODULES.items() if f"{module}.".startswith(f"{gone}.")), None
            )
            if advice:
                found.append(Advice(f"{name}:{getattr(node, 'lineno', 0)}", f"import {module}", advice))
    return sorted(set(found), key=lambda advice: (advice.where, advice.what))


def _imported(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Import):
        return [name.name for name in node.names]
    if isinstance(node, ast.ImportFrom):
        return [f"{node.module}.{name.name}" for name in node.names]
    return []
