"""What keeps an imported service from running as it is: imports that are gone, models that an old library made."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mldeploy.artifacts.conda import version_of
from mldeploy.artifacts.conda_names import OLDEST
from mldeploy.artifacts.pickles import PickleError, looks_like_pickle, read_pickle
from mldeploy.migrate.conda import Advice, advise_script
from mldeploy.migrate.draft import BASE

_LARGEST = 200 << 20
"""Models above it are not looked into: reading one takes longer than the import."""


def advise_imported(
    documents: dict[str, dict[str, Any]], written: dict[str, str], root: Path
) -> tuple[Advice, ...]:
    """Advice on the entry scripts and models that a manifest names and that are there.

    Args:
        documents: the manifest's files as plain data.
        written: files that the import writes, by path.
        root: the project's folder.
    """
    base = documents.get(BASE, {})
    found: list[Advice] = []
    for image in base.get("images", {}).values():
        path = f"{image.get('source_directory', '.')}/{image.get('entry_script', '')}".removeprefix("./")
        text = written.get(path)
        if text is None and (root / path).is_file():
            text = (root / path).read_text("utf-8", errors="replace")
        if text is not None:
            found += advise_script(text, path)
    for model in base.get("models", {}).values():
        found += _model(root, str(model.get("source", "")))
    return tuple(dict.fromkeys(found))


def _model(root: Path, source: str) -> Iterator[Advice]:
    path = root / source
    if "://" in source or not path.exists():
        return
    files = [path] if path.is_file() else sorted(one for one in path.rglob("*") if one.is_file())
    for file in files:
        if file.stat().st_size > _LARGEST or not looks_like_pickle(file):
            continue
        try:
            facts = read_pickle(file)
        except (PickleError, OSError):
            continue  # `up` says what is wrong with it.
        for package, versions in facts.versions.items():
            old = sorted(
                one for one in versions if package in OLDEST and version_of(one) < OLDEST[package][0]
            )
            if old:
                why = f"made by {package} {', '.join(old)}: {OLDEST[package][1]}"
                yield Advice(file.relative_to(root).as_posix(), package, why)
