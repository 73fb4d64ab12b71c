"""The local model store: content by digest, immutable, verified, shared by all projects of a user.

Layout: ``objects/<digest>/<file name>[/…]`` with read-only files; ``listings/<digest>.json`` with their
names, sizes and modification times; ``claims/<digest>/<claim>.json`` for each record that needs the content.
Content goes with its last claim.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import secrets
import shutil
import stat
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from mldeploy.artifacts.content import (
    CHUNK,
    ContentError,
    Entry,
    HashCache,
    combine,
    digest,
    entries,
    identity,
    open_regular,
)
from mldeploy.home import private_folder
from mldeploy.provider.common.model_source import pinned_message
from mldeploy.provider.framework.resource import ProvisionError
from mldeploy.provider.local.claims import Claims, write_json

_ZEROS = bytes(CHUNK)
_SHARE_BLOCKS = 0x40049409
"""Linux' FICLONE."""


@dataclass(frozen=True)
class Claim:
    """Who needs a content: a record of a model version."""

    ident: str
    scope: str
    name: str
    version: str


class Store:
    """The store in one folder.

    Args:
        folder: an existing private folder.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._claims = Claims(folder / "claims")

    def path(self, content: str) -> Path:
        """The folder with the content: the file or folder is in it under its base name."""
        return self._folder / "objects" / content

    # --- writing -----------------------------------------------------------------------------------------

    def put(self, listed: Sequence[Entry], content: str, claim: Claim, folders: Sequence[str] = ()) -> None:
        """Store the files, whose digest must be ``content``, and claim them. Concurrent calls are safe.

        Which files may be executed and which ``folders`` are empty is kept too; both are no part of the digest.

        Raises:
            ProvisionError: the source changed since it was digested; the version is pinned to other content.
            ContentError: a file cannot be read.
        """
        self._check_pinned(claim, content)
        record = {"scope": claim.scope, "name": claim.name, "version": claim.version}
        self._claims.add(content, claim.ident, record)  # first, so that nobody removes the content in between
        try:
            if self.fault(content) is not None:
                self._copy(listed, content)
            with self._claims.locked():
                self._complete(listed, content, folders)
        except BaseException:
            self.release(content, claim.ident)
            raise

    def _copy(self, listed: Sequence[Entry], content: str) -> None:
        building = private_folder(self._folder / "tmp") / secrets.token_hex(8)
        building.mkdir(mode=0o700)
        try:
            found = combine(
                (entry.name, entry.size, _copy_file(entry, building / entry.name)) for entry in listed
            )
            if found != content:
                raise ProvisionError(
                    f"the source changed since it was read: its digest was {content}, the copy has {found}"
                )
            _seal(building)
            with self._claims.locked():
                if self.fault(content) is None:  # somebody else was faster
                    return
                self._install(building, content)
        finally:
            remove_tree(building)

    def _complete(self, listed: Sequence[Entry], content: str, folders: Sequence[str]) -> None:
        """Content that is stored already may have come from a source with other permissions and folders."""
        root = self.path(content)
        for entry in listed:
            stored = root / entry.name
            if entry.path.exists() and _executable(entry.path) and not _executable(stored):
                stored.chmod(0o500)
        for name in folders:
            if not (root / name).is_dir():
                for parent in reversed((root / name).parents):
                    if parent.is_relative_to(root) and parent.exists():
                        parent.chmod(0o700)
                (root / name).mkdir(parents=True)
                for parent in (root / name, *(root / name).parents):
                    if parent.is_relative_to(root) and parent != root:
                        parent.chmod(0o500)

    def _install(self, building: Path, content: str) -> None:
        target = self.path(content)
        private_folder(target.parent)
        if target.exists():  # damaged
            self._discard(target)
        building.rename(target)
        _sync_folder(target.parent)
        write_json(private_folder(self._folder / "listings") / f"{content}.json", _listing(target))

    def _discard(self, target: Path) -> None:
        trash = private_folder(self._folder / "tmp") / secrets.token_hex(8)
        target.chmod(0o700)  # a folder that is not writable cannot be renamed on every system
        target.rename(trash)
        remove_tree(trash)

    def release(self, content: str, claim: str) -> None:
        """Give up a claim; the content goes with the last one. Nothing happens when it is gone already."""
        with self._claims.locked():
            if self._claims.drop(content, claim) and self.path(content).exists():
                self._discard(self.path(content))
                self._listing_file(content).unlink(missing_ok=True)

    # --- reading -----------------------------------------------------------------------------------------

    def fault(self, content: str) -> str | None:
        """What is wrong with the stored files by their names, sizes and times; None when nothing is."""
        if not self.path(content).is_dir():
            return f"the stored content {content} is gone"
        try:
            expected: Any = json.loads(self._listing_file(content).read_text())
            found = _listing(self.path(content))
        except (OSError, ValueError) as error:
            return f"the stored content {content} cannot be read: {error}"
        return None if expected == found else f"the stored content {content} was changed"

    def verify(self, content: str, cache: HashCache | None = None) -> str | None:
        """Like :meth:`fault`, but reads every byte."""
        if (known := self.fault(content)) is not None:
            return known
        try:
            found = digest(self.path(content), cache=cache)
        except ContentError as error:
            return str(error)
        return None if found == content else f"the stored content {content} is damaged: its digest is {found}"

    def claims(self, content: str) -> list[str]:
        """The ids of the claims on a content."""
        return self._claims.of(content)

    def pinned(self, scope: str, name: str, version: str) -> dict[str, str]:
        """The digests that are registered for a version: claim id to digest."""
        wanted = {"scope": scope, "name": name, "version": version}
        return {claim: content for content, claim, record in self._claims.records() if record == wanted}

    def _check_pinned(self, claim: Claim, content: str) -> None:
        other = set(self.pinned(claim.scope, claim.name, claim.version).values()) - {content}
        if other:
            raise ProvisionError(pinned_message(claim.name, claim.version, sorted(other)[0], content))

    def _listing_file(self, content: str) -> Path:
        return self._folder / "listings" / f"{content}.json"


def copy_tree(source: Path, target: Path) -> None:
    """Make ``target`` a folder of its owner's with the same files as ``source``.

    Scripts unpack and cache beside their model, and nothing that they do there may reach the store: a hard link would
    be the store's own file. Where the file system can, copies share their blocks until one is written to.
    """
    target.mkdir(mode=0o700, parents=True)
    for child in os.scandir(source):
        there = target / child.name
        if child.is_dir(follow_symlinks=False):
            copy_tree(Path(child.path), there)
        else:
            with Path(child.path).open("rb") as original, there.open("xb") as copy:
                try:
                    fcntl.ioctl(copy.fileno(), _SHARE_BLOCKS, original.fileno())
                except OSError:
                    _copy_bytes(original, copy)
            there.chmod(0o700 if _executable(Path(child.path)) else 0o600)


def _executable(path: Path) -> bool:
    return bool(path.stat().st_mode & stat.S_IXUSR)


def _copy_bytes(source: BinaryIO, copy: BinaryIO, seen: Callable[[bytes], object] = len) -> None:
    """Copy, keeping holes, and show each piece to ``seen``."""
    while chunk := source.read(CHUNK):
        seen(chunk)
        if chunk == _ZEROS:
            copy.seek(len(chunk), os.SEEK_CUR)
        else:
            copy.write(chunk)
    copy.truncate(copy.tell())


def _copy_file(entry: Entry, target: Path) -> str:
    """Copy one file and return the SHA-256 of exactly what was written."""
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    total = hashlib.sha256()
    with open_regular(entry.path) as source, target.open("xb") as copy:
        before = os.fstat(source.fileno())
        _copy_bytes(source, copy, total.update)
        if identity(before) != identity(os.fstat(source.fileno())) or copy.tell() != entry.size:
            raise ProvisionError(f"{entry.path} changed while it was copied: try again when it is complete")
        copy.flush()
        os.fsync(copy.fileno())
    return total.hexdigest()


def _seal(folder: Path) -> None:
    for name, _folders, files in os.walk(folder, topdown=False):
        path = Path(name)
        for file in files:
            (path / file).chmod(0o400)
        _sync_folder(path)
        if path != folder:  # the outermost one is renamed, which needs it writable on some systems
            path.chmod(0o500)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _listing(folder: Path) -> dict[str, list[int]]:
    found: dict[str, list[int]] = {}
    for entry in entries(folder):
        status = entry.path.stat()
        found[entry.name] = [status.st_size, status.st_mtime_ns]
    return found


def remove_tree(folder: Path) -> None:
    """Remove a tree of read-only folders. Somebody else may be removing it at the same time."""
    while folder.exists():
        with suppress(FileNotFoundError):
            for path, _folders, _files in os.walk(folder):
                Path(path).chmod(0o700)
            shutil.rmtree(folder)
