"""Models in MLflow's stores: outputs of runs, and versions of its registry."""

from __future__ import annotations

import json
import os
import re
import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlparse

from mldeploy.artifacts.content import ContentError, text_digest
from mldeploy.home import cache_dir, private_folder

_RUN = re.compile(r"runs:/+(?P<run>[^/]+)/(?P<path>.+)")
_MODEL = re.compile(r"models:/+(?P<name>[^/@]+)(?:/(?P<version>[0-9]+)|@(?P<alias>[^/@]+))")


def find(source: str, root: Path) -> Path:
    """The file or folder of a run's output or of a registered model; what is remote is downloaded once, to the cache.

    Raises:
        ContentError: there is none, or it cannot be had.
    """
    return _from_run(source, root) if source.startswith("runs:") else _registered(source, root)


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


def _registered(source: str, root: Path) -> Path:
    """A version of the registry. An alias is asked for anew each time: when it moves, the model's content changes."""
    match = _MODEL.fullmatch(source)
    if not match:
        raise ContentError(f"{source}: must be models:/<name>/<version> or models:/<name>@<alias>")
    name, version, alias = match["name"], match["version"], match["alias"]
    tracking = os.environ.get("MLFLOW_REGISTRY_URI") or tracking_uri(root)
    if tracking.startswith("sqlite:///"):
        database = Path(tracking.removeprefix("sqlite:///"))
        location = _from_registry(source, database, name, version, alias)
        found = _local_folder(location)
        if found is None:
            raise ContentError(
                f"{source}: its files are at {_shown(location)}: set MLFLOW_TRACKING_URI to a server"
            )
        return _inside_run(source, found if found.is_absolute() else database.parent / found, ".")
    client = mlflow_client(source, tracking)
    try:
        number = version or str(client.get_model_version_by_alias(name, alias).version)
        location = str(client.get_model_version_download_uri(name, number))
        found = _local_folder(location)
        return (
            _inside_run(source, found, ".")
            if found is not None
            else _download_version(tracking, name, number)
        )
    except ContentError:
        raise
    except Exception as error:
        raise mlflow_error(source, tracking, error) from None


def _from_registry(source: str, database: Path, name: str, version: str | None, alias: str | None) -> str:
    """Where a registered version's files are, by MLflow's own tables."""
    try:
        with closing(sqlite3.connect(f"{database.absolute().as_uri()}?mode=ro", uri=True)) as store:
            if alias is not None:
                query = "SELECT version FROM registered_model_aliases WHERE name = ? AND alias = ?"
                row = store.execute(query, (name, alias)).fetchone()
                if row is None:
                    raise ContentError(
                        f"{source}: model {name!r} has no alias {alias!r} (asked is {database})"
                    )
                version = str(row[0])
            query = (
                "SELECT COALESCE(storage_location, source) FROM model_versions WHERE name = ? AND version = ?"
            )
            row = store.execute(query, (name, version)).fetchone()
            if row is None:
                raise ContentError(f"{source}: model {name!r} has no version {version} (asked is {database})")
            logged = re.fullmatch(r"models:/(m-[0-9a-z]+)", str(row[0]))
            if logged:
                query = "SELECT artifact_location FROM logged_models WHERE model_id = ?"
                row = store.execute(query, (logged[1],)).fetchone() or row
    except sqlite3.Error as error:
        raise ContentError(f"{source}: {error} (asked is {database})") from None
    return str(row[0])


def _download_version(tracking: str, name: str, number: str) -> Path:
    """A version never changes: once is enough. What is interrupted is no version, and begun again."""
    folder = private_folder(cache_dir() / "models")
    target = folder / text_digest(tracking, name, number)[:32]
    if not target.is_dir():
        from mlflow.artifacts import download_artifacts  # pyright: ignore

        with tempfile.TemporaryDirectory(dir=folder) as temporary:
            part = private_folder(Path(temporary) / "model")
            download_artifacts(f"models:/{name}/{number}", dst_path=str(part), tracking_uri=tracking)  # pyright: ignore
            try:
                part.rename(target)
            except OSError:
                if not target.is_dir():  # else somebody was faster
                    raise
    return target


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
