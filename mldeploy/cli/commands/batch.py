"""`mldeploy batch run`: a service's script over the files of a folder."""

from __future__ import annotations

from typing import Annotated

import typer

from mldeploy.cli.options import DEFAULT_STACK, ProjectOption, ServiceArgument, StackOption
from mldeploy.cli.options import session as open_session
from mldeploy.manifest import Image, Manifest, Service, load
from mldeploy.operations.batch_runs import BatchRequest, start
from mldeploy.session import UsageError

InputOption = Annotated[
    str, typer.Option("--input", "-i", help="A folder or a file; on Azure ML an azureml: or https: address.")
]
OutputOption = Annotated[
    str | None, typer.Option("--output", "-o", help="The folder for the results; made if missing.")
]
HereOption = Annotated[
    bool, typer.Option("--here", help="On this machine, whatever the service's target is.")
]

batch_app = typer.Typer(help="Score the files of a folder.", no_args_is_help=True, rich_markup_mode=None)


@batch_app.callback()
def _only_groups() -> None:
    """So that `run` is a command of its own."""


@batch_app.command("run", context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def run(
    context: typer.Context,
    service: ServiceArgument,
    input_: InputOption,
    output: OutputOption = None,
    project: ProjectOption = None,
    stack: StackOption = DEFAULT_STACK,
    here: HereOption = False,
) -> None:
    """Score files, in Azure ML for a service of type batch, else on this machine. Further options are the runner's.

    They are those of `python -m serving.batch` (docs/serving.md): --mini-batch-size 1MB, --retry-failed, …, and after
    -- the script's own. The service's `batch:` in the manifest gives their defaults.
    """
    session = open_session(project, stack)
    manifest = load(session.project, session.stack)
    found, image = _service(manifest, service)
    request = BatchRequest(
        service=service, input=input_, output=output, options=tuple(context.args), here=here
    )
    raise typer.Exit(start(session, manifest, found, image, request))


def _service(manifest: Manifest, name: str) -> tuple[Service, Image]:
    if name not in manifest.services:
        raise UsageError(
            f"the manifest has no service {name!r}; it has: {', '.join(sorted(manifest.services))}"
        )
    found = manifest.services[name]
    return found, manifest.images[found.image]
