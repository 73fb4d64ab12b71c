"""`mldeploy init` and `mldeploy eject`: from a model's files to a project, and from a written script to one's own."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterable
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Final

import typer

from mldeploy.cli.commands.migrate import import_v1
from mldeploy.cli.new_project import SAMPLE, project_files
from mldeploy.cli.options import DEFAULT_STACK, ProjectOption, StackOption
from mldeploy.cli.options import session as open_session
from mldeploy.manifest.rules.undecided import PLACEHOLDER
from mldeploy.session import UsageError

_FIRST_PORT: Final = 8890
_STEPS: Final = """
next: mldeploy up
      mldeploy score {name} --data {data}
"""


class _Target(StrEnum):
    """Where a second stack can put the services."""

    ACI = "aci"
    AKS = "aks"
    KUBERNETES = "kubernetes"
    BATCH = "batch"


_TARGETS: Final = {
    _Target.ACI: ("dev", "{type: aci}", "port: null"),
    _Target.AKS: ("prod", "{type: aks, create: {}}", "port: null"),
    _Target.KUBERNETES: ("prod", "{type: kubernetes}", "port: null"),
    _Target.BATCH: ("batch", "{type: batch}", "port: null, golden: null"),
}
"""The stack that each is written to, the target, and what of the local service is not its own."""


def init(
    models: Annotated[
        list[str] | None,
        typer.Argument(
            help="Files or folders of models in this folder, runs:/… or models:/… of MLflow, or a folder of v1 files. "
            "Default: a sample.",
            show_default=False,
        ),
    ] = None,
    output: Annotated[
        Path,
        typer.Option("--output", "-o", file_okay=False, help="The project's folder, with the models in it."),
    ] = Path(),
    target: Annotated[
        _Target | None, typer.Option("--target", help="Add a stack that deploys the same services there.")
    ] = None,
    location: Annotated[
        str | None,
        typer.Option("--location", "-l", help="With --target aci, aks or batch: the Azure region."),
    ] = None,
) -> None:
    """Make this folder a project that serves the given models. Writes the few files it needs, overwrites none.

    Each model becomes a service on this machine, scored without an entry script where its kind is known: scikit-learn
    (pickle, joblib, skops), ONNX, MLflow, XGBoost, LightGBM, CatBoost. Scripts, notebooks and JSON files of Azure ML v1
    are handed over to import-v1.
    """
    root = output.resolve()
    old = _v1_files(models or [], root)
    if old:
        print(f"files of Azure ML v1: mldeploy import-v1 {' '.join(path.name for path in old)}")
        import_v1(old, output=output, location=location)
        return
    files, steps, said = _sample() if not models else _of_models(models, root)
    if target is not None:
        files |= _stack(target, location, said)
    there = [file for file in files if (root / file).exists()]
    if there:
        raise UsageError(
            f"{there[0]} is there already, and nothing is overwritten; add to it, or move it away"
        )
    files |= project_files(root)
    for file, text in files.items():
        (root / file).parent.mkdir(parents=True, exist_ok=True)
        (root / file).write_text(text, encoding="utf-8")
    for line in said.values():
        print(line)
    print(f"wrote {', '.join(sorted(files))}")
    print(steps, end="")
    if target is not None:
        stack = _TARGETS[target][0]
        print(f"      mldeploy validate --stack {stack}; mldeploy preview --stack {stack} --create")


def _of_models(models: list[str], root: Path) -> tuple[dict[str, str], str, dict[str, str]]:
    """The files of a project for these models, what comes next, and by service what was found."""
    from mldeploy.artifacts import runtimes
    from mldeploy.artifacts.content import ContentError
    from mldeploy.artifacts.sources import locate

    names: dict[str, str] = {}
    said: dict[str, str] = {}
    golden: dict[str, str | None] = {}
    for model in models:
        remote = model.startswith(("runs:", "models:"))
        source = model if remote else _inside(Path(model), root)
        name = _name(Path(re.sub(r"^models:/+([^/@]+).*", r"\1", model)), names)
        names[name] = source
        try:
            place = locate(source, root)
            plan = runtimes.plan(place)
        except (runtimes.NoRuntimeError, ContentError) as problem:
            raise UsageError(str(problem)) from None
        golden[name] = _golden(place)
        said[name] = f"{name}: {source} is of runtime {plan.runtime}; it gets {', '.join(plan.packages)}"
    files = {"manifest.yaml": _manifest(names, golden), "manifest.local.yaml": _LOCAL}
    files |= {f"golden/{name}.json": text for name, text in golden.items() if text}
    first = next(iter(names))
    steps = _STEPS.format(name=first, data=f"golden/{first}.json" if golden[first] else "REQUEST.json")
    return files, steps, said


def _sample() -> tuple[dict[str, str], str, dict[str, str]]:
    """A model that needs no package: a line, with a script that is easily replaced."""
    files = {**SAMPLE, "manifest.local.yaml": _LOCAL}
    said = {
        "line": "a sample: models/line.json, scored by entry_scripts/line/score.py; put your own in their places"
    }
    return files, _STEPS.format(name="line", data="golden/line.json"), said


def _stack(target: _Target, location: str | None, services: Iterable[str]) -> dict[str, str]:
    stack, written, without = _TARGETS[target]
    on_azure = target is not _Target.KUBERNETES
    lines = [
        "# yaml-language-server: $schema=./manifest.v1.schema.json",
        f"# What is only so in the stack {stack}: null takes away what manifest.yaml has.",
        "version: 1",
        *([f"azure: {{location: {location or PLACEHOLDER}}}"] if on_azure else []),
        f"targets: {{here: null, {target.value}: {written}}}",
        "services:",
        *(f"  {name}: {{target: {target.value}, {without}}}" for name in services),
    ]
    return {f"manifest.{stack}.yaml": "\n".join(lines) + "\n"}


def _v1_files(models: list[str], root: Path) -> list[Path]:
    """The v1 files among those given, in a folder that is given, or in this folder when nothing is."""
    from mldeploy.migrate import deploys

    given = [Path(one) for one in models if ":/" not in one] or ([] if models else [root])
    if len(given) == 1 and given[0].is_dir():
        given = sorted(one for one in given[0].iterdir() if one.is_file())
    return [one for one in given if one.is_file() and deploys(one)]


def _inside(model: Path, root: Path) -> str:
    if not model.exists():
        raise UsageError(f"{model}: no such file or folder")
    real = model.resolve()
    if not real.is_relative_to(root) or real == root:
        raise UsageError(f"{model} is not in {root}: copy it there, since a project's models are part of it")
    return real.relative_to(root).as_posix()


def _name(model: Path, taken: dict[str, str]) -> str:
    """A name for model, image and service: letters, digits and hyphens."""
    stem = re.sub(r"[^a-z0-9]+", "-", model.resolve().stem.lower()).strip("-")
    stem = stem if stem[:1].isalpha() else f"model-{stem}".rstrip("-")
    number, name = 2, stem
    while name in taken:
        name, number = f"{stem}-{number}", number + 1
    return name


def _golden(source: Path) -> str | None:
    """A request that is known to fit: the example that an MLflow model brings along."""
    example = source / "serving_input_example.json"
    return example.read_text("utf-8") if source.is_dir() and example.is_file() else None


_LOCAL: Final = """\
# yaml-language-server: $schema=./manifest.v1.schema.json
# What is only so on this machine. `mldeploy up` merges it over manifest.yaml.
version: 1
"""


def _manifest(names: dict[str, str], golden: dict[str, str | None]) -> str:
    lines = ["# yaml-language-server: $schema=./manifest.v1.schema.json", "version: 1", "models:"]
    lines += [f"  {name}: {{source: {json.dumps(source)}}}" for name, source in names.items()]
    lines += ["images:", *(f"  {name}: {{models: [{name}]}}" for name in names)]
    lines += ["targets:", "  here: {type: local}", "services:"]
    for port, name in enumerate(names, _FIRST_PORT):
        more = f", golden: [{{request: golden/{name}.json}}]" if golden[name] else ""
        lines.append(f"  {name}: {{image: {name}, target: here, port: {port}{more}}}")
    return "\n".join(lines) + "\n"


def eject(
    image: Annotated[str, typer.Argument(help="The image's name in the manifest.")],
    project: ProjectOption = None,
    stack: StackOption = DEFAULT_STACK,
) -> None:
    """Write the entry script and the conda file of an image that has none into the project, to go on from.

    They go to `entry_scripts/<image>`; the manifest's lines that name them are printed, to be put in.
    """
    from mldeploy.artifacts.runtimes.generate import FOLDER
    from mldeploy.manifest import load

    session = open_session(project, stack)
    images = load(session.project, session.stack).images
    if image not in images:
        raise UsageError(f"no image {image!r} in this stack; there are: {', '.join(sorted(images))}")
    made = images[image]
    if made.source_directory != f"{FOLDER}/{image}":
        raise UsageError(f"image {image!r} has an entry script: {made.source_directory}/{made.entry_script}")
    target = f"entry_scripts/{image}"
    if (session.project / target).exists():
        raise UsageError(f"{target} is there already, and nothing is overwritten; move it away")
    shutil.copytree(session.project / made.source_directory, session.project / target)
    keys = f"source_directory: {target}, entry_script: {made.entry_script}, conda_file: {made.conda_file}"
    print(
        f"wrote {target}; now write in the manifest:\n  {image}: {{models: [{', '.join(made.models)}], {keys}}}"
    )
