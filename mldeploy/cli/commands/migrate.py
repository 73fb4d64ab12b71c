"""`mldeploy import-v1`."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from mldeploy.cli.new_project import project_files
from mldeploy.cli.options import JsonOption, print_json
from mldeploy.migrate import (
    Advice,
    MigrateError,
    Migration,
    Options,
    advise,
    as_json,
    as_markdown,
    as_text,
    migrate,
)
from mldeploy.session import UsageError

_REPORT = "migration-report.md"


_Files = Annotated[
    list[Path] | None,
    typer.Argument(
        help="Deployment scripts (.py, .ipynb, .sh), or inferenceconfig.json and deploymentconfig.json.",
        show_default=False,
    ),
]
_Models = Annotated[
    list[str] | None,
    typer.Option(
        "--model", "--models", "-m", help="For JSON files: name:version or name:version=path. Repeatable."
    ),
]
_Name = Annotated[str | None, typer.Option("--name", "-n", help="For JSON files: the service's name.")]
_Compute = Annotated[
    str | None,
    typer.Option("--compute-target", "-ct", "--target", help="For JSON files: the AKS compute."),
]
_Tags = Annotated[list[str] | None, typer.Option("--tag", help="For JSON files: key=value. Repeatable.")]
_Location = Annotated[
    str | None, typer.Option("--location", "-l", help="The Azure region, where v1 took the workspace's.")
]
_Conda = Annotated[
    list[Path] | None, typer.Option("--conda", help="Give advice on this old conda file. Repeatable.")
]
_Scripts = Annotated[
    list[Path] | None,
    typer.Option("--script", help="With --conda: an entry script to look at too. Repeatable."),
]
_Output = Annotated[
    Path,
    typer.Option("--output", "-o", file_okay=False, help="The project's folder, where the manifest goes."),
]
_DryRun = Annotated[bool, typer.Option("--dry-run", help="Print the manifest, write nothing.")]
_Force = Annotated[bool, typer.Option("--force", help="Overwrite a manifest that is there.")]


def import_v1(
    files: _Files = None,
    model: _Models = None,
    name: _Name = None,
    compute_target: _Compute = None,
    tag: _Tags = None,
    location: _Location = None,
    conda: _Conda = None,
    script: _Scripts = None,
    output: _Output = Path(),
    dry_run: _DryRun = False,
    force: _Force = False,
    as_json_output: JsonOption = False,
) -> None:
    """Write a manifest from what deployed to Azure ML with SDK v1 or CLI v1. Scripts are read, never run.

    Writes manifest.yaml, manifest.local.yaml (to try it at once), manifest.dev.yaml for ACI, manifest.prod.yaml for
    AKS and batch, and a report of every field: mapped, changed, dropped, to decide. A folder that is no project yet
    becomes one.
    """
    if not files and not conda:
        raise UsageError("import-v1: give deployment scripts, JSON files, or --conda FILE")
    try:
        advice = [one for file in conda or [] for one in advise(file, script)]
        found = (
            migrate(
                files,
                Options(
                    output.resolve(), name, tuple(model or ()), compute_target, location, tuple(tag or ())
                ),
            )
            if files
            else None
        )
        missing = project_files(output.resolve()) if found is not None else {}
    except (MigrateError, FileExistsError) as error:
        raise UsageError(f"import-v1: {error}") from error
    if found is not None and not dry_run:
        _write(found, missing, output, force=force)
    if as_json_output:
        document = as_json(found) if found is not None else {}
        own = found.advice if found is not None else ()
        print_json({**document, "advice": [one.to_json() for one in (*own, *advice)]})
        return
    if found is not None:
        _print(found, missing, output, dry_run=dry_run)
    _print_advice(advice)


def _write(found: Migration, project: Mapping[str, str], output: Path, *, force: bool) -> None:
    files = {**project, **found.files, **found.written, _REPORT: as_markdown(found)}
    there = [name for name in found.files if (output / name).exists()]
    if there and not force:
        raise UsageError(
            f"import-v1: {output / there[0]} exists; give --force to overwrite it, or another --output"
        )
    for name, text in files.items():
        path = output / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def _print(found: Migration, project: Mapping[str, str], output: Path, *, dry_run: bool) -> None:
    for name, text in {**project, **found.files, **found.written}.items():
        print(f"--- {name}\n{text}" if dry_run else f"wrote {output / name}")
    print(("" if dry_run else f"wrote {output / _REPORT}\n") + f"\n{as_text(found)}")
    for fault in [] if dry_run else _faults(found, output):
        print(fault, file=sys.stderr)


def _faults(found: Migration, output: Path) -> list[str]:
    """What `mldeploy validate` will still complain about: mostly files that are to be copied into the project."""
    from mldeploy.manifest import ManifestErrors, load

    faults: list[str] = []
    for stack in found.stacks:
        try:
            load(output, stack)
        except ManifestErrors as errors:
            faults += [f"still to do: {error}" for error in errors.errors]
    return list(dict.fromkeys(faults))


def _print_advice(advice: list[Advice]) -> None:
    for one in advice:
        print(f"{one.where}: {one.what + ': ' if one.what else ''}{one.advice}")
