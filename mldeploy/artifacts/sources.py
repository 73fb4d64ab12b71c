"""Where a model's bytes come from: a path of the project, or the outputs of an experiment run."""

from __future__ import annotations

import os
from pathlib import Path

from mldeploy.artifacts import mlflow_store
from mldeploy.artifacts.content import ContentError, Entry, entries


def locate(source: str, root: Path) -> Path:
    """The file or folder that ``source`` means; outputs of a remote run are downloaded once, to the cache.

    Args:
        source: a path relative to ``root``, ``runs:/<run id>/<path>``, or ``models:/<name>/<version>`` or ``@<alias>``.

    Raises:
        ContentError: it does not exist, leads out of the project, cannot be read, or cannot be used here.
    """
    if source.startswith(("runs:", "models:")):
        return mlflow_store.find(source, root)
    if source.startswith("azureml:"):
        raise ContentError(
            f"{source}: an Azure ML job's output can be registered on Azure targets only; "
            "as a local model it is not in this version: download it and give its path"
        )
    if "://" in source:
        raise ContentError(
            f"{source}: unknown kind of source; allowed: a path, runs:/<run id>/<path>, models:/<name>/<version>"
        )
    relative = os.path.normpath(source)
    if relative == ".":
        # Its name, which is part of a model's content, is another one in every checkout.
        raise ContentError(f"{source!r} is the project's own folder: give a file or a folder in it")
    return inside(relative, root)


def model_entries(source: Path) -> list[Entry]:
    """The files of a model under its own base name, which is part of its content.

    Raises:
        ContentError: see :func:`mldeploy.artifacts.content.entries`.
    """
    listed = entries(source)
    if not source.is_dir():
        return listed
    return [Entry(f"{source.absolute().name}/{entry.name}", entry.path, entry.size) for entry in listed]


def empty_folders(source: Path) -> list[str]:
    """The folders of a model without anything in them, under the model's own base name; no part of its content."""
    if not source.is_dir():
        return []
    found = (Path(name) for name, folders, files in os.walk(source) if not folders and not files)
    return sorted(f"{source.absolute().name}/{path.relative_to(source).as_posix()}" for path in found)


def inside(relative: str, root: Path) -> Path:
    """``root / relative``, which must exist and, links followed, lie inside ``root``.

    Raises:
        ContentError: it does not.
    """
    path = root / relative
    try:
        real = path.resolve(strict=True)
    except (OSError, RuntimeError, ValueError):  # ValueError: a NUL character
        raise ContentError(f"{relative}: no such file or folder in the project") from None
    if not real.is_relative_to(root.resolve()):
        raise ContentError(f"{relative} leads out of the project to {real}: copy it into the project")
    return path
