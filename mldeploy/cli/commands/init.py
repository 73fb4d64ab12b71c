"""`mldeploy init` and `mldeploy eject`: from a model's files to a project, and from a written script to one's own."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Annotated, Final

import typer

from mldeploy.cli.new_project import project_files
from mldeploy.cli.options import DEFAULT_STACK, ProjectOption, StackOption
from mldeploy.cli.options import session as open_session
from mldeploy.session import UsageError

_FIRST_PORT: Final = 8890
_STEPS: Final = """
next: mldeploy up
      mldeploy score {name} --data {data}
"""


def init(
    models: Annotated[list[Path], typer.Argument(help="Files or folders of models in this folder.")],
    output: Annotated[
        Path,
        typer.Option("--output", "-o", file_okay=False, help="The project's folder, with the models in it."),
    ] = Path(),
) -> None:
    """Make this folder a project that serves the given models. Writes the few files it needs, overwrites none.

    Each model becomes a service on this machine, scored without an entry script where its kind is known: scikit-learn
    (pickle, joblib, skops), ONNX, MLflow, XGBoost, LightGBM, CatBoost.
    """
    from mldeploy.artifacts import runtimes

    root = output.resolve()
    names: dict[str, str] = {}
    found: dict[str, runtimes.Plan] = {}
    for model in models:
        source = _inside(model, root)
        name = _name(model, names)
        names[name] = source
        try:
            found[name] = runtimes.plan(root / source)
        except runtimes.NoRuntimeError as problem:
            raise UsageError(str(problem)) from None
    golden = {name: _golden(root / source) for name, source in names.items()}
    files = {"manifest.yaml": _manifest(names, golden), "manifest.local.yaml": _LOCAL}
    files |= {f"golden/{name}.json": text for name, text in golden.items() if text}
    there = [file for file in files if (root / file).exists()]
    if there:
        raise UsageError(
            f"{there[0]} is there already, and nothing is overwritten; add to it, or move it away"
        )
    files |= project_files(root)
    for file, text in files.items():
        (root / file).parent.mkdir(parents=True, exist_ok=True)
        (root / file).write_text(text, encoding="utf-8")
    for name, plan in found.items():
        print(f"{name}: {names[name]} is of runtime {plan.runtime}; it gets {', '.join(plan.packages)}")
    print(f"wrote {', '.join(sorted(files))}")
    first = next(iter(names))
    print(_STEPS.format(name=first, data=f"golden/{first}.json" if golden[first] else "REQUEST.json"), end="")


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
