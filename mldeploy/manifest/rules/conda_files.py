"""Conda files of local processes: what `up` would refuse to install is refused before anything is made."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from mldeploy.artifacts import conda
from mldeploy.manifest.draft import Draft
from mldeploy.manifest.kinds import kind
from mldeploy.manifest.markers import CONTAINER
from mldeploy.manifest.validation import Fault


def check(draft: Draft, root: Path) -> Iterator[Fault]:
    """Images that a service runs as a process. Container images may take from conda what pip cannot install."""
    targets = {name for name, one in draft.targets.items() if not kind(one.type).has(CONTAINER, one)}
    known: dict[Path, list[str]] = {}
    for name in sorted({one.image for one in draft.services.values() if one.target in targets and one.image}):
        image = draft.images.get(name)
        if image is None or image.conda_file is None:
            continue
        file = root / image.source_directory / image.conda_file
        if not file.is_file():
            continue  # reported as a path
        if file not in known:
            shown = f"{image.source_directory.rstrip('/')}/{image.conda_file}"
            parsed = conda.read(file, shown)
            old = ((one, conda.too_old(one.line)) for one in parsed.entries)
            known[file] = [*parsed.errors, *(f"{one.where}: {one.line}: {why}" for one, why in old if why)]
        for error in known[file]:
            yield Fault(("images", name, "conda_file"), error)
