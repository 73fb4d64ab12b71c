# ruff: noqa: E501 - a row of a table is a line
"""What an entry script imports, and what of it no version that installs today has any more. Nothing is run."""

from __future__ import annotations

import ast
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

PRIVATE: Final = [
    "cluster.dbscan_",
    "cluster.hierarchical",
    "cluster.k_means_",
    "cluster.mean_shift_",
    "covariance.elliptic_envelope",
    "datasets.samples_generator",
    "decomposition.nmf",
    "decomposition.online_lda",
    "decomposition.pca",
    "decomposition.truncated_svd",
    "ensemble.bagging",
    "ensemble.forest",
    "ensemble.gradient_boosting",
    "ensemble.iforest",
    "ensemble.voting_classifier",
    "ensemble.weight_boosting",
    "feature_selection.from_model",
    "feature_selection.rfe",
    "feature_selection.univariate_selection",
    "feature_selection.variance_threshold",
    "gaussian_process.gpc",
    "gaussian_process.gpr",
    "linear_model.base",
    "linear_model.bayes",
    "linear_model.coordinate_descent",
    "linear_model.huber",
    "linear_model.least_angle",
    "linear_model.logistic",
    "linear_model.ransac",
    "linear_model.ridge",
    "linear_model.stochastic_gradient",
    "linear_model.theil_sen",
    "manifold.t_sne",
    "metrics.classification",
    "metrics.scorer",
    "mixture.gaussian_mixture",
    "naive_bayes.base",
    "neighbors.base",
    "neighbors.classification",
    "neighbors.kde",
    "neighbors.lof",
    "neighbors.regression",
    "neighbors.unsupervised",
    "neural_network.multilayer_perceptron",
    "preprocessing.data",
    "preprocessing.label",
    "svm.base",
    "svm.classes",
    "tree.export",
    "tree.tree",
]
"""Modules of scikit-learn that were renamed with a leading underscore in 0.22 and removed in 0.24; pickles name them, too."""

GONE: Final = {
    **{
        f"sklearn.{one}": f"removed in scikit-learn 0.24: write sklearn.{one.partition('.')[0]}"
        for one in PRIVATE
    },
    "cPickle": "Python 2: write `import pickle`",
    "StringIO": "Python 2: write `from io import StringIO`",
    "urllib2": "Python 2: write `import urllib.request`",
    "ConfigParser": "Python 2: write `import configparser`",
    "Queue": "Python 2: write `import queue`",
    "azureml.webservice_schema": "replaced by inference_schema, with the same idea: decorators on run()",
    "azureml.datacollector": "remove it: `collect_model_data` of the service collects inputs and outputs",
    "azureml.assets": "the Workbench of 2018: `Model.get_model_path` of azureml.core.model stands in for it",
    "azureml.automl.runtime": "azureml-automl-runtime needs Python 3.9 or earlier: export the model as ONNX, or retrain it",
    "azureml.train.automl.runtime": "azureml-train-automl-runtime needs Python 3.9 or earlier: export the model as ONNX, or retrain it",
    "sklearn.cross_validation": "removed in scikit-learn 0.20: write sklearn.model_selection",
    "sklearn.grid_search": "removed in scikit-learn 0.20: write sklearn.model_selection",
    "sklearn.learning_curve": "removed in scikit-learn 0.20: write sklearn.model_selection",
    "sklearn.preprocessing.Imputer": "removed in scikit-learn 0.22: write `from sklearn.impute import SimpleImputer`",
    "sklearn.utils.testing": "removed in scikit-learn 0.24: write sklearn.utils._testing",
    "sklearn.preprocessing.imputation": "removed in scikit-learn 0.22: write `from sklearn.impute import SimpleImputer`",
    "sklearn.externals.funcsigs": "removed in scikit-learn 0.24: write `from inspect import signature`",
    "tensorflow.contrib": "removed in TensorFlow 2",
    "tensorflow.examples": "removed in TensorFlow 2",
    "collections.Mapping": "moved in Python 3.10: write `from collections.abc import Mapping`",
    "collections.Iterable": "moved in Python 3.10: write `from collections.abc import Iterable`",
    "collections.Sequence": "moved in Python 3.10: write `from collections.abc import Sequence`",
    "collections.Callable": "moved in Python 3.10: write `from collections.abc import Callable`",
}
"""Modules and names that nothing installable today has, and what to write instead. The longest name that fits counts."""

STAYS: Final = {
    "sklearn.externals.joblib": "removed in scikit-learn 0.23: the scoring server answers for it, everywhere else write `import joblib`",
    "sklearn.externals.six": "removed in scikit-learn 0.23: the scoring server answers for it, everywhere else write `import six`",
    "azureml.monitoring": "ModelDataCollector is not needed: `collect_model_data` of the service collects",
    "azureml.contrib.services": "works as it is: the scoring server has AMLRequest, AMLResponse and rawhttp",
    "azureml.core": "`Model.get_model_path` works as it is; everything else of azureml.core has to be listed in the conda file",
}
"""Modules of old scripts that the scoring server answers for, and what to know about them."""


@dataclass(frozen=True)
class Import:
    """A name that a script imports."""

    line: int
    name: str
    """`sklearn.externals.joblib`, also for `from sklearn.externals import joblib`."""
    sure: bool
    """Whether it is imported when the script starts: at its top or in init(), outside of try and if."""


def gone(name: str) -> str | None:
    """What to write instead of a name that nothing installable today has; None when something has it."""
    return None if _said(name, STAYS) else _said(name, GONE)


def known(name: str) -> str | None:
    """What there is to know about a name of old scripts, gone or not."""
    return _said(name, STAYS) or _said(name, GONE)


def _said(name: str, table: dict[str, str]) -> str | None:
    parts = name.split(".")
    names = (".".join(parts[:count]) for count in range(len(parts), 0, -1))
    return next((table[one] for one in names if one in table), None)


def imports(text: str | bytes) -> list[Import]:
    """The absolute imports of a script, in their order; conditional ones and those in functions are not sure.

    Raises:
        SyntaxError, ValueError: it is no Python 3.
    """
    with warnings.catch_warnings(action="ignore"):  # invalid escapes are the script's own affair
        tree = ast.parse(text)
    top = {id(node) for node in tree.body}
    top |= {
        id(node)
        for function in tree.body
        if isinstance(function, ast.FunctionDef) and function.name == "init"
        for node in function.body
    }
    found = [
        Import(node.lineno, name, id(node) in top)
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in _names(node)
    ]
    return sorted(set(found), key=lambda one: (one.line, one.name))


def _names(node: ast.Import | ast.ImportFrom) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    return [] if node.level or not node.module else [f"{node.module}.{alias.name}" for alias in node.names]


def gone_of(script: Path, folder: Path) -> Iterator[tuple[Path, Import, str]]:
    """What a script and its own modules in ``folder`` import for certain, and no installable package has.

    Raises:
        SyntaxError, ValueError, OSError: the script cannot be read.
    """
    seen, waiting = set[Path](), [script]
    while waiting:
        path = waiting.pop()
        if path in seen:
            continue
        seen.add(path)
        try:
            listed = imports(path.read_bytes())
        except (SyntaxError, ValueError, OSError):
            if path == script:
                raise
            continue
        for one in listed:
            own = folder / f"{one.name.partition('.')[0]}.py"
            if one.sure and own.is_file():
                waiting.append(own)
            elif one.sure and (said := gone(one.name)) and not (folder / one.name.partition(".")[0]).is_dir():
                yield path, one, said
