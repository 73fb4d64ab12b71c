"""Batch runs by hand: on this machine, or where the target's own operations run them."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from mldeploy import targets
from mldeploy.edits.stack_config import StackSettings
from mldeploy.engine.project.project import load_project
from mldeploy.manifest import ConfigRef, EnvRef, Image, Manifest, Service
from mldeploy.manifest.batch import Batch
from mldeploy.operations.model import OperationError
from mldeploy.operations.stack import operations
from mldeploy.session import Session, UsageError


@dataclass(frozen=True, kw_only=True)
class BatchRequest:
    """What somebody asked for."""

    service: str
    input: str
    output: str | None = None
    options: tuple[str, ...] = ()
    """Of `python -m serving.batch`; they win over the manifest's."""
    here: bool = False


def start(session: Session, manifest: Manifest, service: Service, image: Image, request: BatchRequest) -> int:
    """Run it to its end; the exit code.

    Raises:
        UsageError: something is missing, or makes no sense on the service's target.
        OperationError: it cannot be started.
    """
    kind = manifest.targets[service.target].type
    elsewhere = getattr(operations(targets.of(kind)), "run_batch", None)
    if request.here or elsewhere is None:
        return _here(session, manifest, service, image, request)
    return elsewhere(session, request)


def options_of(batch: Batch | None) -> Iterator[str]:
    """The manifest's `batch:` as options of the runner; what is not written there is the runner's own default."""
    if batch is None:
        return
    given = batch.model_fields_set
    retry = batch.retry_settings
    values: dict[str, object] = {
        key: getattr(batch, key)
        for key in (
            "mini_batch_size", "error_threshold", "max_concurrency_per_instance", "output_action", "output_file_name",
            "logging_level",
        )
        if key in given
    }  # fmt: skip
    values |= {
        key: getattr(retry, key) for key in ("max_retries", "timeout") if key in retry.model_fields_set
    }
    for key, value in values.items():
        yield (
            f"--{key.replace('_', '-')}={value:g}"
            if isinstance(value, float)
            else f"--{key.replace('_', '-')}={value}"
        )


def _here(session: Session, manifest: Manifest, service: Service, image: Image, request: BatchRequest) -> int:
    from mldeploy.provider.framework.resource import Context, ProvisionError
    from mldeploy.provider.local.batch import BatchJob, BatchModel, run

    if request.output is None:
        raise UsageError("--output: missing; give the folder for the results")
    project = load_project(session.project).name
    context = Context(
        root=session.project,
        urn=f"urn:pulumi:{session.stack}::{project}::batch::{request.service}",
        status=lambda text: print(text, file=sys.stderr),
        info=lambda text: print(text, file=sys.stderr),
        warn=lambda text: print(text, file=sys.stderr),
    )
    models = [(name, manifest.models[name]) for name in image.models]
    paths = [f"--input={Path(request.input).absolute()}", f"--output={Path(request.output).absolute()}"]
    job = BatchJob(
        service=request.service,
        image=service.image,
        source_directory=image.source_directory,
        entry_script=image.entry_script,
        conda_file=image.conda_file,
        models=[BatchModel(name=name, source=one.source, version=one.version) for name, one in models],
        variables=dict(_variables(session, image)),
        arguments=[*paths, *options_of(service.batch), *request.options],
    )
    try:
        return run(context, job)
    except ProvisionError as problem:
        raise OperationError(str(problem)) from None


def _variables(session: Session, image: Image) -> Iterator[tuple[str, str]]:
    """The script's variables; secrets from the environment and the stack's configuration."""
    for name, value in image.environment_variables.items():
        if isinstance(value, str):
            yield name, value
        elif isinstance(value, EnvRef):
            if value.env not in os.environ:
                raise UsageError(f"environment_variables.{name}: the environment has no {value.env}")
            yield name, os.environ[value.env]
        elif isinstance(value, ConfigRef):
            yield name, _configured(session, name, value.config)
        else:
            raise UsageError(
                f"environment_variables.{name}: a batch run on this machine asks no key vault; give the value as "
                f"{{env: …}} or {{config: …}}"
            )


def _configured(session: Session, name: str, key: str) -> str:
    try:
        found = StackSettings(session, session.passphrase).find(key, show_secrets=True)
    except UsageError as problem:
        raise UsageError(f"environment_variables.{name}: {problem}") from None
    return found.value or ""
