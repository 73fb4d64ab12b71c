"""What a model's files are, and the packages that score with them. Nothing of a model is loaded or imported."""

from __future__ import annotations

import json
import re
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, cast

import yaml

from mldeploy.artifacts.pickled import danger
from mldeploy.artifacts.pickles import PickleError, PickleFacts, looks_like_pickle, read_pickle
from mldeploy.artifacts.wheels import FIRST, PYTHONS, pythons_with

RUNTIMES: Final = ("sklearn", "onnx", "mlflow", "xgboost", "lightgbm", "catboost")
"""The values of `runtime` for which no entry script is needed."""

# Modules of pickled models, and the distributions that they come from. Their versions are in no pickle.
_MODULES: Final = {
    "sklearn": "scikit-learn",
    "xgboost": "xgboost-cpu",
    "lightgbm": "lightgbm",
    "catboost": "catboost",
    "cloudpickle": "cloudpickle",
    "dill": "dill",
    "pandas": "pandas",
    "scipy": "scipy",
    "imblearn": "imbalanced-learn",
    "statsmodels": "statsmodels",
    "category_encoders": "category-encoders",
}
_HARMLESS: Final = frozenset(
    ("numpy", "joblib", "copyreg", "builtins", "collections", "_codecs", "__builtin__", "functools")
)
_MODEL_SERVER: Final = ("pandas",)


class NoRuntimeError(Exception):
    """A model cannot be scored without an entry script; the message says why, and what to do."""


@dataclass(frozen=True)
class Plan:
    """How to score with a model."""

    runtime: str
    packages: tuple[str, ...]
    """Requirements as pip takes them."""


def plan(source: Path, runtime: str | None = None) -> Plan:
    """How to score with the model in a file or folder.

    Args:
        source: The model's file or folder.
        runtime: One of :data:`RUNTIMES`; None: what its content says.

    Raises:
        NoRuntimeError: it is none of them, or its packages are not known.
        OSError: it cannot be read.
    """
    found = detect(source)
    if runtime is not None and found != runtime:
        raise NoRuntimeError(
            f"{source.name} is {_KINDS.get(found or '', 'no model of a known kind')}, not of runtime {runtime}"
        )
    if found is None:
        raise NoRuntimeError(
            f"{source.name} is no model of a known kind ({', '.join(RUNTIMES)}); write an entry script: "
            "source_directory and entry_script"
        )
    if found not in RUNTIMES:
        raise NoRuntimeError(
            f"{source.name} is {_KINDS[found]}: it needs an entry script (source_directory, entry_script)"
        )
    return Plan(found, tuple(_PACKAGES[found](source)))


def detect(source: Path) -> str | None:
    """What a model is by its content: one of :data:`RUNTIMES`, `tensorflow`, `pytorch`, or None."""
    if source.is_dir():
        if (source / "MLmodel").is_file():
            return "mlflow"
        return "tensorflow" if (source / "saved_model.pb").is_file() else None
    suffix = source.suffix.lower()
    with source.open("rb") as file:
        start = file.read(64)
    if start.startswith(b"CBM1"):
        return "catboost"
    if start.startswith(b"tree\n") and suffix not in (".onnx",):
        return "lightgbm"
    if start.startswith(b"PK\x03\x04"):
        return _zipped(source)
    if suffix == ".onnx":
        return "onnx"
    if suffix in (".json", ".ubj", ".xgb", ".model") and _xgboost_version(source) is not None:
        return "xgboost"
    return "sklearn" if looks_like_pickle(source) else None


_KINDS: Final = {
    "tensorflow": "a TensorFlow model",
    "pytorch": "a PyTorch model",
    "sklearn": "a pickle",
    "onnx": "an ONNX model",
    "mlflow": "an MLflow model",
    "xgboost": "an XGBoost model",
    "lightgbm": "a LightGBM model",
    "catboost": "a CatBoost model",
}


def _zipped(source: Path) -> str | None:
    try:
        with zipfile.ZipFile(source) as archive:
            names = archive.namelist()
    except zipfile.BadZipFile:
        return None
    if "schema.json" in names:
        return "sklearn"  # skops
    if any(name.endswith("/data.pkl") or name == "data.pkl" for name in names):
        return "pytorch"
    return "tensorflow" if "metadata.json" in names and "config.json" in names else None  # Keras 3


# -- packages ----


def _sklearn(source: Path) -> list[str]:
    if zipfile.is_zipfile(source):
        return _skops(source)
    try:
        facts = read_pickle(source)
    except PickleError as problem:
        raise NoRuntimeError(str(problem)) from None
    wrong = danger(source.name, facts)
    if wrong:
        raise NoRuntimeError(wrong)
    unknown = sorted(facts.packages() - _HARMLESS - _MODULES.keys())
    if unknown:
        raise NoRuntimeError(
            f"{source.name} needs the module {unknown[0]!r}, and no pickle says which package that is from; write an "
            "entry script, or conda_file with the packages"
        )
    versions = facts.versions.get("scikit-learn", frozenset())
    if "sklearn" in facts.packages():
        found = [f"scikit-learn=={_one_version(versions, source.name)}"]
    else:
        found = ["scikit-learn"]  # the interface of XGBClassifier and its like needs it, in whichever version
    found += [_MODULES[name] for name in sorted(facts.packages() & _MODULES.keys() - {"sklearn"})]
    found += list(_numpy(facts, versions))
    if facts.named_columns:
        found.append("pandas")
    return ["joblib", *dict.fromkeys(found)]


def _one_version(versions: frozenset[str], name: str) -> str:
    if not versions:
        raise NoRuntimeError(
            f"{name} does not say which scikit-learn it was made with; write conda_file with it"
        )
    if len(versions) > 1:
        raise NoRuntimeError(
            f"{name} holds objects of scikit-learn {' and '.join(sorted(versions))}; save it anew with one of them"
        )
    (version,) = versions
    if not pythons_with("scikit-learn", version):
        least, python = FIRST["scikit-learn"][PYTHONS[0]], PYTHONS[0]
        raise NoRuntimeError(
            f"{name} was made with scikit-learn {version}, which has no package for Python {python} and later "
            f"(from {least} on): load it with that version on an older Python and save it anew with {least} or later, "
            "or retrain"
        )
    return version


def _numpy(facts: PickleFacts, versions: frozenset[str]) -> tuple[str, ...]:
    if any(name.startswith("numpy._core") for name in facts.globals):
        return ("numpy>=2",)
    old = [tuple(map(int, re.findall(r"\d+", version)[:3])) < (1, 4, 2) for version in versions]
    # Older releases were built for NumPy 1 and do not say so.
    return ("numpy<2",) if any(old) else ()


def _skops(source: Path) -> list[str]:
    with zipfile.ZipFile(source) as archive:
        schema: dict[str, Any] = json.loads(archive.read("schema.json"))
    text = json.dumps(schema)
    versions = frozenset(re.findall(r'"_sklearn_version": \{[^{}]*?"content": "\\?"?([0-9][\w.+-]*)', text))
    if not versions:
        versions = frozenset(re.findall(r"_sklearn_version[^0-9]{1,200}?([0-9]+\.[0-9]+[\w.]*)", text))
    pins = [f"skops=={schema['_skops_version']}"] if schema.get("_skops_version") else ["skops"]
    return [f"scikit-learn=={_one_version(versions, source.name)}", *pins, "joblib", "pandas"]


def _onnx(source: Path) -> list[str]:
    del source
    # It runs the models of all earlier opsets.
    return ["onnxruntime>=1.20,<2", "numpy"]


def _mlflow(source: Path) -> list[str]:
    described = cast("dict[str, Any]", yaml.safe_load((source / "MLmodel").read_text("utf-8")) or {})
    if "python_function" not in described.get("flavors", {}):
        kinds = ", ".join(described.get("flavors", {})) or "none"
        raise NoRuntimeError(f"{source.name} has no flavour python_function, which scores; it has: {kinds}")
    file = source / "requirements.txt"
    lines = file.read_text("utf-8").splitlines() if file.is_file() else []
    found = [line.strip() for line in lines if line.strip() and not line.lstrip().startswith("#")]
    if not found:
        raise NoRuntimeError(
            f"{source.name} has no requirements.txt: save it with MLflow 1.13 or later, or write conda_file"
        )
    version = described.get("mlflow_version")
    return [*(_skinny(line, version) for line in found), *_MODEL_SERVER]


def _skinny(line: str, version: str | None) -> str:
    """All of MLflow is a server with a database; what loads a model is a sixth of it."""
    match = re.fullmatch(r"mlflow(\[[^\]]*\])?\s*(.*)", line)
    if match is None:
        return line
    return f"mlflow-skinny{match[2] or (f'=={version}' if version else '')}"


def _xgboost(source: Path) -> list[str]:
    version = _xgboost_version(source)
    # The package without the GPU's libraries exists from 2.1 on; the format is kept across releases (XGBoost,
    # "Introduction to Model IO").
    exact = version and tuple(map(int, version.split("."))) >= (2, 1)
    return [f"xgboost-cpu=={version}" if exact else "xgboost-cpu>=2.1,<4", "numpy"]


def _xgboost_version(source: Path) -> str | None:
    """The version in a booster's file: a list of three numbers under `version`, in JSON or UBJSON."""
    with source.open("rb") as file:
        size = file.seek(0, 2)
        file.seek(max(0, size - 4096))
        tail = file.read()
        file.seek(0)
        head = file.read(4096)
    for text in (tail, head):
        if b"version" in text and (b"learner" in head or b"learner" in tail):
            match = re.search(rb'"version"\s*:\s*\[\s*(\d+)\s*,\s*(\d+)\s*,\s*(\d+)\s*\]', text)
            if match:
                return b".".join(match.groups()).decode()
            # UBJSON: the key, an array of integers with their type (i, U, I, l, L) before each or once.
            match = re.search(rb"version\[(?:\$(.))?#?[iUIlL]?([\x00-\xff]{3,32})", text, re.DOTALL)
            if match:
                return _ubj_numbers(text[text.index(b"version[") + len(b"version") :])
    return None


_UBJ_SIZES: Final = {b"i": 1, b"U": 1, b"I": 2, b"l": 4, b"L": 8}


def _ubj_numbers(data: bytes) -> str | None:
    """An array of three integers of UBJSON as a dotted version."""
    place, kind, found = 1, b"", list[int]()
    if data[place : place + 1] == b"$":
        kind, place = data[place + 1 : place + 2], place + 2
    if data[place : place + 1] == b"#":
        place += 2 + _UBJ_SIZES.get(data[place + 1 : place + 2], 0)
    while len(found) < 3:
        one = kind or data[place : place + 1]
        place += 0 if kind else 1
        size = _UBJ_SIZES.get(one)
        if size is None:
            return None
        found.append(int.from_bytes(data[place : place + size], "big"))
        place += size
    return ".".join(map(str, found))


def _lightgbm(source: Path) -> list[str]:
    del source
    return ["lightgbm>=4,<5", "numpy"]


def _catboost(source: Path) -> list[str]:
    del source
    return ["catboost>=1.2,<2", "numpy"]


_PACKAGES: Final[dict[str, Callable[[Path], list[str]]]] = {
    "sklearn": _sklearn,
    "onnx": _onnx,
    "mlflow": _mlflow,
    "xgboost": _xgboost,
    "lightgbm": _lightgbm,
    "catboost": _catboost,
}
