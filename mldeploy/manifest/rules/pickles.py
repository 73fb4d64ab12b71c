"""Models that are pickles: nothing that no model needs, and nothing that no environment can load."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from mldeploy.artifacts import conda
from mldeploy.artifacts.content import ContentError
from mldeploy.artifacts.pickled import Pickled, pickles_in
from mldeploy.artifacts.sources import inside
from mldeploy.manifest.draft import Draft
from mldeploy.manifest.image import Image
from mldeploy.manifest.validation import Fault


def check(draft: Draft, root: Path) -> Iterator[Fault]:
    """What would fail for certain, or what nobody should load. Models of runs are looked at when they are here."""
    pinned = _pinned(draft, root)
    # What has no entry script is looked at by the rule on runtimes.
    scriptless = {
        model
        for one in draft.images.values()
        if not one.entry_script and not one.conda_file
        for model in one.models
    }
    for name, found in _models(draft, root):
        for one in found:
            for problem in (None if name in scriptless else one.danger(), one.unloadable(pinned.get(name))):
                if problem:
                    yield Fault(("models", name, "source"), problem)


def notes(draft: Draft, root: Path) -> Iterator[Fault]:
    """What may work or not: versions that cannot be installed any more."""
    for name, found in _models(draft, root):
        said = [one.old() for one in found if not one.unloadable()]
        for text in dict.fromkeys(filter(None, said)):
            yield Fault(("models", name, "source"), text)


def _models(draft: Draft, root: Path) -> Iterator[tuple[str, list[Pickled]]]:
    for name, model in draft.models.items():
        if ":/" in model.source:
            continue
        try:
            yield name, list(pickles_in(inside(model.source, root)))
        except (ContentError, OSError):
            continue  # reported as a path


def _pinned(draft: Draft, root: Path) -> dict[str, str]:
    """By model, the version of scikit-learn that its image pins."""
    found: dict[str, str] = {}
    for image in draft.images.values():
        version = _version(image, root)
        if version:
            found |= dict.fromkeys(image.models, version)
    return found


def _version(image: Image, root: Path) -> str | None:
    if image.conda_file is None:
        return None
    file = root / image.source_directory / image.conda_file
    if not file.is_file():
        return None  # reported as a path
    pins = conda.read(file, image.conda_file).pins()
    return pins.get("scikit-learn")
