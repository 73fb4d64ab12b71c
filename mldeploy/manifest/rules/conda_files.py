"""Conda files: what neither a process nor a build could install is refused before anything is made."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from mldeploy.artifacts import conda
from mldeploy.artifacts.wheels import beside_batch_driver, too_old
from mldeploy.manifest.draft import Draft
from mldeploy.manifest.kinds import kind
from mldeploy.manifest.markers import CONTAINER
from mldeploy.manifest.validation import Fault


def check(draft: Draft, root: Path) -> Iterator[Fault]:
    """Images that a service runs. Only those that none runs as a process may take from conda what pip has not."""
    processes = {name for name, one in draft.targets.items() if not kind(one.type).has(CONTAINER, one)}
    batch = {name for name, one in draft.targets.items() if one.type == "batch"}
    on_batch = {one.image for one in draft.services.values() if one.target in batch}
    known: dict[Path, conda.CondaFile] = {}
    for name in sorted({one.image for one in draft.services.values() if one.image}):
        image = draft.images.get(name)
        if image is None or image.conda_file is None or not image.source_directory:
            continue
        file = root / image.source_directory / image.conda_file
        if not file.is_file():
            continue  # reported as a path
        if file not in known:
            known[file] = conda.read(file, f"{image.source_directory.rstrip('/')}/{image.conda_file}")
        as_process = any(one.image == name and one.target in processes for one in draft.services.values())
        for error in _faults(known[file], as_process=as_process):
            yield Fault(("images", name, "conda_file"), error)
        if name in on_batch:
            for entry in known[file].entries:
                if error := beside_batch_driver(entry.line):
                    yield Fault(("images", name, "conda_file"), f"{entry.where}: {entry.line}: {error}")


def _faults(found: conda.CondaFile, *, as_process: bool) -> Iterator[str]:
    only_conda = found.only_conda()
    yield from found.errors if as_process else [one for one in found.errors if one not in only_conda]
    for entry in found.entries:
        # conda has builds of old versions that there is no wheel of.
        old = None if only_conda and entry.conda and not as_process else too_old(entry.line, found.python)
        if old:
            yield f"{entry.where}: {entry.line}: {old}"
