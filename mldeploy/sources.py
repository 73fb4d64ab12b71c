"""Where a model's bytes come from: a path of the project, or the outputs of an experiment run."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Generator
from pathlib import Path
from typing import Any

from mldeploy.content import ContentError, text_digest
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
    return inside(source, root)


def inside(relative: str, root: Path) -> Path:
    """``root / relative``, which must exist and, links followed, lie inside ``root``.

    Raises:
        ContentError: it does not.
    """
    path = root / relative
    try:
        real = path.resolve(strict=True)
    except (OSError, RuntimeError):
        raise ContentError(f"{relative}: no such file or folder in the project") from None
    if not real.is_relative_to(root.resolve()):
        raise ContentError(f"{relative} leads out of the project to {real}: copy it into the project")
    return path


def _from_run(source: str, root: Path) -> Path:
    match = _RUN.fullmatch(source)
    if not match:
        raise ContentError(f"{source}: must be runs:/<run id>/<path of a file or folder among its outputs>")
    try:
        import mlflow  # pyright: ignore
    except ImportError:
        raise ContentError(
            f"{source}: reading runs needs MLflow, which is not installed: pip install 'mldeploy[mlflow]'"
        ) from None
    run, path = match["run"], match["path"]
    with _in_folder(root), _without_progress():
        try:
            found = mlflow.get_run(run)  # pyright: ignore
            uri = str(found.info.artifact_uri)  # pyright: ignore
            return _artifact(mlflow, run, path, uri, root)
        except ContentError:
            raise
        except Exception as error:
            # MLflow raises whatever its stores raise; the first line says what.
            reason = (str(error) or type(error).__name__).splitlines()[0]
            raise ContentError(f"{source}: {reason}") from None


def _artifact(mlflow: Any, run: str, path: str, uri: str, root: Path) -> Path:
    local = _local_folder(uri, root)
    if local is not None:
        found = (local / path).resolve()
        if not found.is_relative_to(local.resolve()) or not found.exists():
            raise ContentError(f"runs:/{run}/{path}: the run has no output {path!r}")
        return local / path
    # The outputs of a finished run do not change.
    target = private_folder(cache_dir() / "runs") / text_digest(uri, path)[:32]
    done = target / ".complete"
    if not done.exists():
        private_folder(target)
        mlflow.artifacts.download_artifacts(run_id=run, artifact_path=path, dst_path=str(target))
        done.touch()
    return target / path


def _local_folder(uri: str, root: Path) -> Path | None:
    if uri.startswith("file:"):
        from urllib.parse import unquote, urlparse

        return Path(unquote(urlparse(uri).path))
    return None if "://" in uri else root / uri


@contextlib.contextmanager
def _in_folder(root: Path) -> Generator[None]:
    """MLflow's default tracking store is relative to the working directory, which belongs to the whole
    process: so name it by an absolute path where the user has not named another."""
    import mlflow  # pyright: ignore

    named = os.environ.get("MLFLOW_TRACKING_URI")
    previous = mlflow.get_tracking_uri()  # pyright: ignore
    if not named and (root / "mlruns").is_dir():
        mlflow.set_tracking_uri((root / "mlruns").absolute().as_uri())  # pyright: ignore
    elif not named and (root / "mlflow.db").is_file():
        mlflow.set_tracking_uri(f"sqlite:///{(root / 'mlflow.db').absolute()}")  # pyright: ignore
    try:
        yield
    finally:
        mlflow.set_tracking_uri(previous)  # pyright: ignore


@contextlib.contextmanager
def _without_progress() -> Generator[None]:
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    yield
