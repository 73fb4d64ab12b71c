"""What is collected, how much of it, and where it goes (`collect_model_data`)."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

INPUTS = "model_inputs"
OUTPUTS = "model_outputs"
_KNOWN = ("enabled", "sampling", "collections", "format", "destination")
_FORMATS = ("jsonl", "parquet")


class CollectionError(Exception):
    """The settings cannot be used; the message says which, its value and what is allowed."""


@dataclass(frozen=True)
class Settings:
    """`collect_model_data`, checked."""

    sampling: float
    """The share of the requests, 0 to 1."""
    collections: tuple[str, ...]
    """`model_inputs`, `model_outputs` or both."""
    format: str
    """`jsonl` or `parquet`."""
    destination: str
    """A folder's absolute path, or the URL of a blob container (and a path in it)."""

    @property
    def remote(self) -> bool:
        """Whether it goes to Azure Blob Storage."""
        return self.destination.startswith("https://")


def settings(given: Mapping[str, Any] | None) -> Settings | None:
    """The settings, or None when nothing is collected.

    Raises:
        CollectionError: an unknown key, a value that is not allowed, or a package that is missing.
    """
    if not given or not given.get("enabled", True):
        return None
    unknown = sorted(set(given) - set(_KNOWN))
    if unknown:
        raise CollectionError(f"unknown keys {', '.join(unknown)}; allowed: {', '.join(_KNOWN)}")
    sampling = given.get("sampling", 1.0)
    if isinstance(sampling, bool) or not isinstance(sampling, (int, float)) or not 0 <= sampling <= 1:
        raise CollectionError(f"sampling: {sampling!r} is not allowed; give a number from 0 to 1")
    collections = tuple(given.get("collections") or (INPUTS, OUTPUTS))
    wrong = [name for name in collections if name not in (INPUTS, OUTPUTS)]
    if wrong:
        raise CollectionError(f"collections: {wrong[0]!r} is not allowed; choose {INPUTS}, {OUTPUTS}")
    form = given.get("format") or "jsonl"
    if form not in _FORMATS:
        raise CollectionError(f"format: {form!r} is not allowed; choose {', '.join(_FORMATS)}")
    found = Settings(float(sampling), collections, form, str(given.get("destination") or ""))
    _check_destination(found)
    _check_packages(found)
    return found


def _check_destination(found: Settings) -> None:
    where = found.destination
    if found.remote:
        _host, _, path = where[len("https://") :].partition("/")
        if not path.strip("/"):
            raise CollectionError(
                f"destination: {where!r} names no container; give https://<account>/<container>"
            )
        if "?" in where:
            raise CollectionError("destination: a URL with a signature is a secret; identities are used here")
    elif not where.startswith("/"):
        raise CollectionError(
            f"destination: {where!r} is not allowed; give a folder's absolute path or https://<account>/<container>"
        )


def _check_packages(found: Settings) -> None:
    needed: dict[str, str] = {}
    if found.format == "parquet":
        needed["pyarrow"] = "parquet"
    if found.remote:
        needed |= {"azure.storage.blob": "azure-blob", "azure.identity": "azure-blob"}
    for module, extra in needed.items():
        if not _installed(module):
            raise CollectionError(
                f"the environment lacks the package of {module!r}: add mldeploy-serving[{extra}]'s packages"
            )


def _installed(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:
        return False
