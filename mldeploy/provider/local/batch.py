"""Batch scoring on this machine: an image's script over the files of a folder, in a service's environment."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mldeploy.artifacts.content import ContentError, digest_entries
from mldeploy.artifacts.sources import inside, locate, model_entries
from mldeploy.home import home
from mldeploy.provider.framework.resource import CheckError, Context, ProvisionError
from mldeploy.provider.local import processes
from mldeploy.provider.local.claims import write_json
from mldeploy.provider.local.environment import Environment, EnvironmentFields
from mldeploy.provider.local.environments import Environments
from mldeploy.provider.local.store import copy_tree


@dataclass(frozen=True, kw_only=True)
class BatchModel:
    """A model of the image."""

    name: str
    source: str
    version: str | None = None
    """Default: from its content."""


@dataclass(frozen=True, kw_only=True)
class BatchJob:
    """What to score with what."""

    service: str
    image: str
    source_directory: str
    entry_script: str
    conda_file: str | None
    models: Sequence[BatchModel]
    variables: Mapping[str, str] = field(default_factory=dict[str, str])
    """Environment variables of the script."""
    arguments: Sequence[str] = ()
    """Options of `python -m serving.batch`."""


def run(context: Context, job: BatchJob) -> int:
    """Build what is missing, and score; the exit code of the batch runner, whose output goes to the terminal.

    Raises:
        ProvisionError: the environment cannot be built, or a model cannot be read.
    """
    try:
        python, serving = _environment(context, job)
        with tempfile.TemporaryDirectory(prefix="mldeploy-batch-") as folder:
            models = _models(context.root, job.models, Path(folder) / "azureml-models")
            source = inside(job.source_directory, context.root)
            variables = {**job.variables, "PYTHONPATH": str(serving), "PYTHONUNBUFFERED": "1"}
            environment = processes.clean_environment(variables | {"AZUREML_MODEL_DIR": str(models)})
            environment["PATH"] = f"{python.parent}{os.pathsep}{environment.get('PATH', os.defpath)}"
            given = ["--entry-script", str(source / job.entry_script), "--source-directory", str(source)]
            command = [str(python), str(serving / "serving/batch/__main__.py"), *given, *job.arguments]
            with subprocess.Popen(command, env=environment) as process:
                return _wait(process)
    except ContentError as problem:
        raise ProvisionError(str(problem)) from None


def _wait(process: subprocess.Popen[bytes]) -> int:
    """Ctrl-C reaches the runner as well, which ends in good order and says how to go on."""
    while True:
        try:
            return process.wait()
        except KeyboardInterrupt:
            continue


def _environment(context: Context, job: BatchJob) -> tuple[Path, Path]:
    """The interpreter, and the folder with the scoring server. Kept for the next run, under a claim of their own."""
    given = {
        "image": job.image,
        "source_directory": job.source_directory,
        "entry_script": job.entry_script,
        "conda_file": job.conda_file,
        "runtime": "python",
    }
    resource = Environment()
    nothing = EnvironmentFields.decode({})
    try:
        wanted = given | resource.check(context, nothing, EnvironmentFields.decode(given))
    except CheckError as problem:
        said = "; ".join(f"{path}: {reason}" for path, reason in problem.failures)
        raise ProvisionError(f"image {job.image}: {said}") from None
    inputs = EnvironmentFields.decode(wanted)
    outputs = {**resource.preview(context, inputs), "serving_digest": inputs.serving_digest}
    claim = f"batch-{context.scope.replace('/', '-')}-{job.image}"
    resource.claim(context, claim, inputs)
    note = home() / "batch" / f"{claim}.json"
    before = json.loads(note.read_text("utf-8")) if note.exists() else outputs
    _release(claim, before, outputs)
    note.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    write_json(note, outputs)
    environments = Environments()
    python = environments.python(str(outputs["environment_digest"]))
    return python, environments.serving_path(str(outputs["serving_digest"]))


def _release(claim: str, before: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    """What an earlier run needed and this one does not goes with the last claim on it."""
    environments = Environments()
    for key, release in (
        ("digest", environments.release_image),
        ("environment_digest", environments.release),
        ("serving_digest", environments.release_serving),
    ):
        if before[key] != now[key]:
            release(str(before[key]), claim)


def _models(root: Path, models: Sequence[BatchModel], folder: Path) -> Path:
    """v1's layout, as a service has it: copies, as scripts write beside their model."""
    made: list[Path] = []
    for model in models:
        source = locate(model.source, root)
        target = folder / model.name / (model.version or digest_entries(model_entries(source))[:12])
        if source.is_dir():
            copy_tree(source, target / source.name)
        else:
            target.mkdir(parents=True)
            shutil.copy(source, target)
        made.append(target)
    folder.mkdir(exist_ok=True)
    return made[0] if len(made) == 1 else folder
