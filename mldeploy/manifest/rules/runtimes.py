"""Images without an entry script: one model, of a kind that can be scored without one."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

from mldeploy.artifacts import runtimes
from mldeploy.artifacts.content import ContentError
from mldeploy.artifacts.sources import locate
from mldeploy.manifest.draft import Draft
from mldeploy.manifest.errors import shown
from mldeploy.manifest.image import Image
from mldeploy.manifest.model import Model
from mldeploy.manifest.validation import Fault


def check(draft: Draft, root: Path) -> Iterator[Fault]:
    """Both of source_directory and entry_script, or none and a model that says how it is scored."""
    for name, image in draft.images.items():
        path = ("images", name)
        if image.entry_script and image.source_directory:
            if image.runtime != "python":
                text = (
                    f"{shown(image.runtime)} is for models without an entry script, and entry_script is given"
                )
                yield Fault((*path, "runtime"), f"{text}; leave one of them out", removable=True)
        elif image.entry_script or image.source_directory:
            given, missing = ("entry_script", "source_directory")[:: 1 if image.entry_script else -1]
            yield Fault(
                (*path, given), f"is given without {missing}; give both, or none to have the script written"
            )
        elif len(image.models) != 1:
            many = f"{len(image.models)} models are" if image.models else "no model is"
            yield Fault(path, f"has no entry_script and {many} in it; allowed without a script: one model")
        elif (model := draft.models.get(image.models[0])) is not None:
            try:
                planned(root, model, image)
            except runtimes.NoRuntimeError as problem:
                yield Fault((*path, "runtime" if image.runtime != "python" else "models"), str(problem))
            except (ContentError, OSError) as problem:
                if ":/" in model.source:  # what is wrong with a path is reported as such
                    yield Fault(("models", image.models[0], "source"), str(problem))


def planned(root: Path, model: Model, image: Image) -> runtimes.Plan:
    """How to score with the model of an image that has no entry script.

    Raises:
        NoRuntimeError: it cannot be done without one.
        ContentError, OSError: its files cannot be read.
    """
    if model.source.startswith("azureml:"):
        raise runtimes.NoRuntimeError(
            f"{model.source} is not on this machine, so nobody can look at what it is; download it and give its "
            "path, or write an entry script: source_directory and entry_script"
        )
    source = locate(model.source, root)
    if image.conda_file is not None:
        kind = image.runtime if image.runtime != "python" else runtimes.detect(source)
        if kind in runtimes.RUNTIMES:
            return runtimes.Plan(kind, ())
    found = source.stat()
    return _planned(
        source, None if image.runtime == "python" else image.runtime, found.st_mtime_ns, found.st_size
    )


@lru_cache(maxsize=256)
def _planned(source: Path, runtime: str | None, _mtime: int, _size: int) -> runtimes.Plan:
    return runtimes.plan(source, runtime)


def written(root: Path, models: dict[str, Model], images: dict[str, Image]) -> dict[str, Image]:
    """The images, of which those without an entry script have the one that is written for them."""
    return {name: _written(root, name, models, image) for name, image in images.items()}


def _written(root: Path, name: str, models: dict[str, Model], image: Image) -> Image:
    if image.entry_script:
        return image
    model = image.models[0]
    conda_file = root / image.conda_file if image.conda_file else None
    made = runtimes.fill(root, name, model, planned(root, models[model], image), conda_file)
    return image.model_copy(
        update={
            "source_directory": made.source_directory,
            "entry_script": made.entry_script,
            "conda_file": made.conda_file,
            "runtime": "python",
        }
    )
