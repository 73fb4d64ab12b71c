"""What to do about errors of scripts and models whose own words mislead. A row: what the error says, what helps."""

from __future__ import annotations

import importlib.util
import os
import re
from collections.abc import Callable, Mapping
from importlib import metadata

_Row = tuple[str, Callable[[re.Match[str]], str | None]]

REMEDY = "remedy: "
"""Begins the line after a traceback in the startup error file."""

_AZUREML = {
    "automl": "azureml-automl-runtime",
    "core": "azureml-core",
    "data": "azureml-core",
    "dataprep": "azureml-dataprep",
    "interpret": "azureml-interpret",
    "mlflow": "azureml-mlflow",
    "pipeline": "azureml-pipeline-core",
    "telemetry": "azureml-telemetry",
    "train.automl": "azureml-train-automl-runtime",
    "training.tabular": "azureml-training-tabular",
}
_PYPI = {
    "sklearn": "scikit-learn",
    "skimage": "scikit-image",
    "cv2": "opencv-python-headless",
    "PIL": "pillow",
}


def _installed(package: str) -> str:
    try:
        return f"{package} {metadata.version(package)}"
    except metadata.PackageNotFoundError:
        return package


def _old_scikit_learn(found: re.Match[str]) -> str:
    return (
        f"{found[1]} was renamed in scikit-learn 0.22: the model was pickled by 0.21 or older, here is "
        f"{_installed('scikit-learn')}. Save it again from scikit-learn 0.22 or 0.23, which still read it, or train "
        "it again; or pin the version that it was trained with in the conda file"
    )


def _azureml(found: re.Match[str]) -> str:
    parts = found[1].split(".")
    package = _AZUREML.get(".".join(parts[:2])) or _AZUREML.get(parts[0])
    if package is None:
        return f"azureml.{found[1]} is for training and deploying, not for scoring: remove its import from the script"
    return f"azureml.{found[1]} is part of {package}: list that in the conda file, or remove the import"


def _other_version(found: re.Match[str]) -> str | None:
    """A module that its package has not, in the version that is there."""
    package = found[1].partition(".")[0]
    try:
        there = importlib.util.find_spec(package) is not None
    except (ImportError, ValueError):
        there = False
    if not there:
        return None
    return (
        f"{_installed(_PYPI.get(package, package))} is there and has no {found[1]}: the script or model was made "
        "with another version; pin that in the conda file"
    )


def _main(found: re.Match[str]) -> str:
    return (
        f"{found[1]} was defined in the notebook or script that saved the model. Move it into a module beside the "
        "entry script, import it from there where the model is trained, and save the model again; or define it in "
        "the entry script"
    )


def _moved(found: re.Match[str]) -> str:
    return (
        _other_version(found) or f"the model was pickled with another version of {found[1]}: pin that version"
    )


_SKLEARN = (
    r"(?:linear_model|tree|ensemble|svm|preprocessing|neighbors|decomposition|cluster|feature_extraction|impute|"
    r"feature_selection|metrics|naive_bayes|neural_network|mixture|model_selection)\.(?!_)\w+"
)
_ROWS: tuple[_Row, ...] = (
    (
        r"cannot import name '\w+' from 'sklearn\.externals'|No module named 'sklearn\.externals[.\w]*'",
        lambda _: (
            "sklearn.externals was removed in scikit-learn 0.23: write `import joblib` and list joblib in the conda "
            "file; a model that was saved with it has to be saved again from scikit-learn 0.21 or 0.22"
        ),
    ),
    (rf"No module named '(sklearn\.(?:{_SKLEARN}))'", _old_scikit_learn),
    (
        r"node array from the pickle has an incompatible dtype|__randomstate_ctor|"
        r"Can't get attribute '\w+' on <module '(sklearn)[.\w]*'",
        lambda _: (
            "the model was pickled with another version of scikit-learn or NumPy than "
            f"{_installed('scikit-learn')} and {_installed('numpy')}: pin the training's versions, or save it again"
        ),
    ),
    (
        r"No module named 'numpy\._core",
        lambda _: f"the model was pickled with NumPy 2, here is {_installed('numpy')}: pin numpy>=2",
    ),
    (
        r"numpy\.dtype size changed|_ARRAY_API not found|compiled using NumPy 1\.x cannot be run in",
        lambda _: (
            f"a package was built for another NumPy than {_installed('numpy')}: pin numpy<2, or a newer package"
        ),
    ),
    (
        r"No module named 'pandas\.core\.indexes\.(?:numeric|frozen)'|Can't get attribute '_unpickle_block'",
        lambda _: (
            f"the model was pickled with another pandas than {_installed('pandas')}: pin that version, "
            "or save it again"
        ),
    ),
    (
        r"Can't get attribute '(\w+)' on <module '(?:__main__|__mp_main__|serving\.__main__|ipykernel\w*)'",
        _main,
    ),
    (r"Can't get attribute '\w+' on <module '([A-Za-z_][.\w]*)'", _moved),
    (
        r"unsupported pickle protocol: (\d)",
        lambda found: f"pickle protocol {found[1]} needs a newer Python: pin the training's",
    ),
    (r"No module named 'azureml\.([.\w]+)'", _azureml),
    (r"No module named '([A-Za-z_]\w*\.[.\w]+)'", _other_version),
)


def remedy(text: str, environ: Mapping[str, str] = os.environ) -> str:
    """What helps against the error at the end of a traceback, in one line; empty where its own words are enough."""
    lines = text.strip().splitlines()
    last = next((line for line in reversed(lines) if not line.startswith(" ")), "")
    for pattern, help_ in _ROWS:
        found = re.search(pattern, last)
        if found is not None:
            return help_(found) or ""
    model = environ.get("AZUREML_MODEL_DIR", "")
    if model and re.search(r"\[Errno (13|30)\]", last) and f"'{model}" in last:
        return "the model's folder is read-only here: unpack and cache in a folder made by tempfile.mkdtemp()"
    return ""
