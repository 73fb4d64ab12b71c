"""Where a model's bytes come from: a path of the project, or the outputs of an experiment run."""

from __future__ import annotations

import json
import os
import re
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlparse

from mldeploy.artifacts.content import ContentError, Entry, entries, text_digest
from mldeploy.home import cache_dir, private_folder

_RUN = re.compile(r"runs:/+(?P<run>[^/]+)/(?P<path>.+)")


def locate(source: str, root: Path) -> Path:
    """The file or folder that ``source`` means; outputs of a remote run are downloaded once, to the cache.

    Args:
        source: a path relative to ``root``, or ``runs:/<run id>/<path>``.

    Raises:
        ContentError: it does not exist, leads out of the project, cannot be read, or cannot be used here.
    """
    if source.startswith("runs:"):
        return _from_run(source, root)
    if source.startswith("azureml:"):
        raise ContentError(
            f"{source}: an Azure ML job's output can be registered on Azure targets only; "
            "as a local model it is not in this version: download it and give its path"
        )
    if "://" in source:
        raise ContentError(f"{source}: unknown kind of source; allowed: a path, runs:/<run id>/<path>")
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


def _from_run(source: str, root: Path) -> Path:
    match = _RUN.fullmatch(source)
    if not match:
        raise ContentError(f"{source}: must be runs:/<run id>/<path of a file or folder among its outputs>")
    run, path = match["run"], match["path"]
    tracking = tracking_uri(root)
    # Importing MLflow takes seconds: remember where a run's outputs are.
    known = private_folder(cache_dir() / "runs") / f"{text_digest(tracking, run, path)[:32]}.json"
    try:
        remembered = Path(json.loads(known.read_text()))
        if remembered.exists():
            return remembered
    except (OSError, ValueError):
        known.unlink(missing_ok=True)
    found = _ask_mlflow(source, tracking, run, path)
    known.write_text(json.dumps(str(found)))
    return found


def tracking_uri(root: Path) -> str:
    """Where MLflow keeps its runs: what the user named, else what MLflow itself makes in the project.

    MLflow takes its default from the working directory, which belongs to the whole process.
    """
    if named := os.environ.get("MLFLOW_TRACKING_URI"):
        return named
    # As MLflow 3 decides: beside its database, `mlruns` has artifacts only; a store of files has `meta.yaml` there.
    if (root / "mlflow.db").is_file() and not any((root / "mlruns").glob("*/meta.yaml")):
        return f"sqlite:///{(root / 'mlflow.db').absolute()}"
    return (root / "mlruns").absolute().as_uri()


def _ask_mlflow(source: str, tracking: str, run: str, path: str) -> Path:
    if tracking.startswith("sqlite:///"):
        return _inside_run(
            source, *_from_database(source, Path(tracking.removeprefix("sqlite:///")), run, path)
        )
    client = mlflow_client(source, tracking)
    try:
        uri = str(client.get_run(run).info.artifact_uri)
        local = _local_folder(uri)
        return _download(client, run, path, uri) if local is None else _inside_run(source, local, path)
    except ContentError:
        raise
    except Exception as error:
        raise mlflow_error(source, tracking, error) from None


def _from_database(source: str, database: Path, run: str, path: str) -> tuple[Path, str]:
    """The folder that a path of a run's outputs is in, and the path in there.

    Read without MLflow: mlflow-skinny, which is what one installs for this, has no reader for its own default store.
    Since MLflow 3 a logged model is no output of its run, but is found under the run's name for it.
    """
    name, _, rest = path.partition("/")
    try:
        with closing(sqlite3.connect(f"{database.absolute().as_uri()}?mode=ro", uri=True)) as store:
            found = store.execute("SELECT artifact_uri FROM runs WHERE run_uuid = ?", (run,)).fetchone()
            has_models = store.execute("SELECT 1 FROM sqlite_master WHERE name = 'logged_models'").fetchone()
            model = (
                has_models
                and store.execute(
                    "SELECT artifact_location FROM logged_models WHERE source_run_id = ? AND name = ? "
                    "ORDER BY creation_timestamp_ms DESC",
                    (run, name),
                ).fetchone()
            )
    except sqlite3.Error as error:
        raise ContentError(f"{source}: {error} (runs are read from {database})") from None
    if found is None:
        raise ContentError(f"{source}: Run '{run}' not found (runs are read from {database})")
    outputs = _local_folder(str(found[0]))
    if model and not (outputs is not None and (outputs / name).exists()):
        outputs, path = _local_folder(str(model[0])), rest or "."
    if outputs is None:
        raise ContentError(
            f"{source}: its outputs are at {_shown(str(found[0]))}: set MLFLOW_TRACKING_URI to a server"
        )
    return outputs if outputs.is_absolute() else database.parent / outputs, path


def mlflow_client(source: str, tracking: str) -> Any:
    """MLflow's own client for the store at ``tracking``.

    Raises:
        ContentError: MLflow is not installed.
    """
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    # MLflow would rather have everybody use a database; reading the folder that it made harms nobody.
    os.environ.setdefault("MLFLOW_ALLOW_FILE_STORE", "true")
    try:
        from mlflow import MlflowClient  # pyright: ignore
    except ImportError:
        raise ContentError(
            f"{source}: reading runs needs MLflow, which is not installed: pip install 'mldeploy[mlflow]'"
        ) from None
    return MlflowClient(tracking, tracking)


def mlflow_error(source: str, tracking: str, error: Exception) -> ContentError:
    """MLflow raises whatever its stores raise; the first line says what."""
    reason = (str(error).strip() or type(error).__name__).splitlines()[0]
    return ContentError(f"{source}: {reason} (runs are read from {_shown(tracking)})")


def _inside_run(source: str, outputs: Path, path: str) -> Path:
    found = (outputs / path).resolve()
    if not found.is_relative_to(outputs.resolve()) or not found.exists():
        raise ContentError(f"{source}: the run has no output {path!r}")
    return outputs / path


def _download(client: Any, run: str, path: str, uri: str) -> Path:
    """The outputs of a finished run do not change: once is enough."""
    target = private_folder(private_folder(cache_dir() / "runs") / text_digest(uri, path)[:32])
    client.download_artifacts(run, path, str(target))
    return target / path


def _local_folder(uri: str) -> Path | None:
    if uri.startswith("file:"):
        return Path(unquote(urlparse(uri).path))
    return None if "://" in uri else Path(uri)


def _shown(uri: str) -> str:
    """An address without credentials."""
    return re.sub(r"(?<=://)[^/@\s]+@", "***@", uri)
