"""Files and folders that the manifest names: there, of the right kind, and inside the project."""

# Texts, since making Path objects takes longer than asking the file system:
# ruff: noqa: PTH114, PTH115, PTH116, PTH120

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Literal

from mldeploy.artifacts.content import ContentError, entries, source_ignore
from mldeploy.manifest.draft import Draft
from mldeploy.manifest.errors import shown, suggestion
from mldeploy.manifest.nodes import Path as NodePath
from mldeploy.manifest.validation import Fault

Wanted = Literal["file", "folder", "either"]
_REMOTE = ("runs:", "models:", "azureml:")


def check(draft: Draft, root: Path) -> Iterator[Fault]:
    """Sources of models, folders and files of images, golden requests of services."""
    project = Project(root)
    for name, model in draft.models.items():
        if "://" not in model.source and not model.source.startswith(_REMOTE):
            where = ("models", name, "source")
            faults = list(_faults(project, "", model.source, "either", where))
            yield from faults or _inside(root, model.source, where)
    for name, image in draft.images.items():
        path: NodePath = ("images", name)
        if image.source_directory:
            folder = list(_faults(project, "", image.source_directory, "folder", (*path, "source_directory")))
            yield from folder
            if folder:
                continue
            yield from _inside(root, image.source_directory, (*path, "source_directory"))
        for key, value in (("entry_script", image.entry_script), ("conda_file", image.conda_file)):
            if value:
                yield from _faults(project, image.source_directory, value, "file", (*path, key))
    for name, service in draft.services.items():
        for index, golden in enumerate(service.golden):
            pieces = golden.stream.pieces if golden.stream else None
            files: dict[NodePath, str | None] = {
                ("request",): golden.request,
                ("response",): golden.response,
                ("stream", "pieces"): pieces,
            }
            for keys, value in files.items():
                if value is not None:
                    yield from _faults(project, "", value, "file", ("services", name, "golden", index, *keys))


def _inside(root: Path, folder: str, where: NodePath) -> Iterator[Fault]:
    """What in a folder cannot be taken along: dangling links, links that lead out of it, pipes."""
    source = root / folder
    try:
        entries(source, source_ignore(source) if source.is_dir() else None)
    except ContentError as error:
        yield Fault(where, str(error).replace(f"{root}/", ""))


def _faults(project: Project, folder: str, value: str, wanted: Wanted, where: NodePath) -> Iterator[Fault]:
    message = project.problem(folder, value, wanted)
    if message:
        yield Fault(where, message)


@lru_cache(maxsize=4096)
def _form(folder: str, value: str) -> str | None:
    """What is wrong with a path before looking at the disk."""
    start = f"folder {shown(folder)}" if folder else "the project"
    if "\0" in value or any(not c.isprintable() for c in value):
        return f"{shown(value)} has characters that no path of a project has"
    if "\\" in value:
        return f"{shown(value)} has a backslash; write {shown(value.replace(chr(92), '/'))}"
    if value.startswith(("/", "~")) or value[1:2] == ":":
        return f"{shown(value)} is not relative to {start}; copy it into the project and write its path there"
    if os.path.normpath(value).split("/")[0] == "..":
        return f"{shown(value)} leaves {start}; allowed: a path inside it"
    return None


class Project:
    """The project's folder, and what was found out about it: a manifest names thousands of files."""

    def __init__(self, root: Path) -> None:
        self.root = root.resolve()
        self._folders: dict[str, str] = {}

    def problem(self, folder: str, value: str, wanted: Wanted) -> str | None:
        """What is wrong with a path of the manifest.

        Args:
            folder: the folder that ``value`` is relative to, itself relative to the project; empty for the project.
            value: the path as written.
            wanted: what must be there.
        """
        fault = _form(folder, value)
        if fault:
            return fault
        path = "/".join(part for part in (str(self.root), folder.strip("/"), value.rstrip("/")) if part)
        try:
            found = os.lstat(path)
            is_link = stat.S_ISLNK(found.st_mode)
            found = os.stat(path) if is_link else found
        except (FileNotFoundError, NotADirectoryError):
            if os.path.islink(path):
                return f"{shown(value)} is a dangling link to {shown(os.readlink(path))}"
            return f"{shown(value)} does not exist{_near(self.root, Path(path), value)}"
        except OSError as error:
            return f"{shown(value)} cannot be read: {error.strerror}"
        # The folder's real place is that of everything in it, save for links and for steps back.
        plain = not is_link and not {".", ".."} & set(value.split("/"))
        if not self._inside(self._real_folder(os.path.dirname(path)) if plain else os.path.realpath(path)):
            return f"{shown(value)} leads out of the project through a link; copy it into the project"
        return _kind(found.st_mode, value, wanted)

    def _inside(self, real: str) -> bool:
        return real == str(self.root) or real.startswith(f"{self.root}/")

    def _real_folder(self, folder: str) -> str:
        if folder not in self._folders:
            self._folders[folder] = os.path.realpath(folder)
        return self._folders[folder]


def _kind(mode: int, value: str, wanted: Wanted) -> str | None:
    if stat.S_ISDIR(mode):
        return f"{shown(value)} is a folder; allowed: a file" if wanted == "file" else None
    if not stat.S_ISREG(mode):
        return f"{shown(value)} is neither a file nor a folder"
    return f"{shown(value)} is a file; allowed: a folder" if wanted == "folder" else None


def _near(root: Path, path: Path, value: str) -> str:
    """A file that is there and was perhaps meant."""
    try:
        names = sorted(entry.name for entry in path.parent.iterdir())[:500]
    except OSError:
        missing = path.parent
        while not missing.parent.exists():
            missing = missing.parent
        return f': there is no folder "{missing.relative_to(root).as_posix()}"' if missing != root else ""
    close = suggestion(path.name, names)
    if close is None:
        return ""
    return f" (did you mean {shown((Path(value).parent / close).as_posix())}?)"
