"""What keeps an imported service from running as it is: imports that are gone, models that an old library made."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mldeploy.artifacts.pickled import pickles_in
from mldeploy.migrate.conda import Advice, advise_script
from mldeploy.migrate.draft import BASE


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
    if ":/" in source or not path.exists():
        return
    for one in pickles_in(path):
        said = one.unloadable() or one.old()
        if said:
            yield Advice(source, "", said)
