"""Which versions of well-known packages have wheels for which Python: what no pip can install is known beforehand."""

from __future__ import annotations

import re
from typing import Final

from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

PYTHONS: Final[tuple[str, ...]] = ("3.10", "3.11", "3.12", "3.13")
"""The versions of Python that the scoring server runs on."""
DEFAULT_PYTHON: Final = f">={PYTHONS[0]},<3.14"

_FIRST: Final = {
    # Earlier ones ask for a pyarrow that has no wheels; 1.44 to 1.46 and the like were not tried.
    "azureml-automl-core": ("1.44.0", "1.51.0", "1.54.0", "1.54.0"),
    "azureml-dataset-runtime": ("1.44.0", "1.51.0", "1.54.0", "1.54.0"),
    "azureml-train-automl-client": ("1.44.0", "1.51.0", "1.54.0", "1.54.0"),
    "catboost": ("1.0.1", "1.2", "1.2.3", "1.2.8"),
    "grpcio": ("1.41.0", "1.49.1", "1.59.0", "1.66.2"),
    "h5py": ("3.6.0", "3.8.0", "3.10.0", "3.12.1"),
    "matplotlib": ("3.5.0", "3.6.0", "3.7.3", "3.9.2"),
    "numpy": ("1.21.2", "1.23.2", "1.26.0", "2.1.0"),
    "onnxruntime": ("1.12.0", "1.15.0", "1.17.0", "1.20.0"),
    "pandas": ("1.3.3", "1.5.0", "2.1.1", "2.2.3"),
    "pillow": ("8.3.2", "9.2.0", "10.0.0", "10.4.0"),
    "pyarrow": ("6.0.0", "10.0.1", "14.0.0", "18.0.0"),
    "scikit-learn": ("1.0.2", "1.1.3", "1.3.1", "1.5.2"),
    "scipy": ("1.7.2", "1.9.2", "1.11.2", "1.14.1"),
    "statsmodels": ("0.13.1", "0.13.3", "0.14.0", "0.14.3"),
    "tensorflow": ("2.8.0", "2.12.0", "2.16.1", "2.20.0"),
    "torch": ("1.11.0", "1.13.0", "2.2.0", "2.5.0"),
}
FIRST: Final[dict[str, dict[str, str]]] = {
    name: dict(zip(map(str, PYTHONS), versions, strict=True)) for name, versions in _FIRST.items()
}
"""The first versions with wheels for Linux on x86-64, by Python (`uv pip compile --resolution lowest`, 2026-11)."""

HINTS: Final = {
    "numpy": "1.26 is closest to old code, 2 breaks some",
    "pandas": "2.2 is closest to old code",
    "scikit-learn": "a pickle of an older one has to be made again",
    "tensorflow": "Keras 3 came with 2.16",
}
"""What to know before choosing a newer version."""

NO_WHEELS: Final = {
    "azureml-automl-runtime": "3.9",
    "azureml-train-automl": "3.9",
    "azureml-train-automl-runtime": "3.9",
}
"""Packages that no supported Python can install, and the last one that could."""

BATCH_DRIVER: Final = {"cloudpickle": "3.0.0", "joblib": "1.6.0", "numpy": "2.3.3"}
"""The first versions that cannot be installed beside `azureml-core` and `azureml-dataset-runtime[fuse]`, which Azure
ML's batch driver imports: azureml-dataprep needs cloudpickle before 3 (`uv pip compile`, 2026-11)."""


def beside_batch_driver(line: str) -> str | None:
    """Why a pinned version cannot be in an environment of Azure ML's batch nodes; None when it can."""
    name, version = pinned(line)
    first = BATCH_DRIVER.get(name)
    if first is None or not version or numbers_of(version) < numbers_of(first):
        return None
    return f"Azure ML's batch driver (azureml-dataprep) can be installed only with a {name} before {first}"


def too_old(line: str, python: str = DEFAULT_PYTHON) -> str | None:
    """Why a pinned version cannot be installed on any Python that is allowed; None when it can, or nothing is known.

    Args:
        line: a requirement as pip or conda writes it, `scikit-learn=0.22.2.post1`.
        python: the versions of Python that are allowed.
    """
    name, version = pinned(line)
    if name in NO_WHEELS:
        return f"{name} has no version for Python {PYTHONS[0]} and later; the last that could was {NO_WHEELS[name]}"
    return too_old_version(name, version, python) if version else None


def pinned(line: str) -> tuple[str, str]:
    """The package of a requirement, and the version that it is pinned to, empty when it is not."""
    match = re.match(
        r"(?:[\w.\-/]+::)?(?P<name>[A-Za-z0-9_.-]+)(?:\[[^\]]*\])?\s*(?:={1,3}\s*(?P<version>\d[\w.]*))?",
        line,
    )
    return (canonicalize_name(match["name"]), match["version"] or "") if match else ("", "")


def too_old_version(name: str, version: str, python: str = DEFAULT_PYTHON) -> str | None:
    """As :func:`too_old`, for a package and a version."""
    if name not in FIRST or pythons_with(name, version, python):
        return None
    allowed = minors(python) or PYTHONS
    shown = f"Python {allowed[0]}" if len(allowed) == 1 else f"Python {allowed[0]} to {allowed[-1]}"
    hint = f": {HINTS[name]}" if name in HINTS else ""
    return f"{version} has no wheel for {shown}; {name} has them from {FIRST[name][allowed[0]]} on{hint}"


def pythons_with(name: str, version: str, python: str = DEFAULT_PYTHON) -> tuple[str, ...]:
    """The versions of Python, of those that are allowed, for which a package's version has wheels."""
    wanted, first = numbers_of(version), FIRST.get(name, {})
    # `1.2` of conda is any 1.2.*
    return tuple(
        one for one in minors(python) if one not in first or wanted >= numbers_of(first[one])[: len(wanted)]
    )


def minors(python: str) -> tuple[str, ...]:
    """The supported versions of Python that a specifier allows."""
    allowed = SpecifierSet(python)
    return tuple(one for one in PYTHONS if any(allowed.contains(f"{one}.{micro}") for micro in range(40)))


def numbers_of(text: str) -> tuple[int, ...]:
    """The numbers of a release: (0, 22, 2) of `0.22.2.post1`."""
    match = re.match(r"\d+(?:\.\d+)*", text)
    return tuple(int(part) for part in match[0].split(".")) if match else ()
