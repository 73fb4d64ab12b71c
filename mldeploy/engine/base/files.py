"""File writes that survive a crash: a temporary file, fsync, rename, fsync of the folder.

The three system calls go through module attributes so that tests can inject their faults.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import secrets
from contextlib import suppress
from pathlib import Path

from mldeploy.engine.base.errors import StateError

fsync = os.fsync
rename = os.replace
write = os.write


def sync_folder(folder: Path) -> None:
    """Make renames inside the folder durable."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fsync(descriptor)
    finally:
        os.close(descriptor)


def write_all(descriptor: int, data: bytes) -> None:
    """Write every byte, however many calls it takes."""
    view = memoryview(data)
    while view:
        view = view[write(descriptor, view) :]


def write_atomic(path: Path, data: bytes, *, mode: int = 0o600) -> None:
    """Replace the file's content; after a crash it is either all old or all new.

    Raises StateError with the path and the reason (no space, read-only, …); the old content stays then.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
        try:
            write_all(descriptor, data)
            fsync(descriptor)
        finally:
            os.close(descriptor)
        rename(temporary, path)
        sync_folder(path.parent)
    except OSError as error:
        with suppress(OSError):
            temporary.unlink()
        raise StateError(f"cannot write {path}: {error.strerror or error}") from error


def write_attributes(path: Path, data: bytes) -> None:
    """The sidecar `<file>.attrs` that the backend's blob driver keeps (content type and MD5)."""
    digest = hashlib.md5(data, usedforsecurity=False).digest()
    attributes = {
        "user.cache_control": "",
        "user.content_disposition": "",
        "user.content_encoding": "",
        "user.content_language": "",
        "user.content_type": "text/plain; charset=utf-8",
        "user.metadata": None,
        "md5": base64.b64encode(digest).decode(),
    }
    target = path.with_name(path.name + ".attrs")
    temporary = target.with_name(f".{target.name}.{os.getpid()}.{secrets.token_hex(4)}.tmp")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_text(json.dumps(attributes, separators=(",", ":")), encoding="utf-8")
        # Not synced: nothing depends on it, and a stale sum is repaired by the next write.
        rename(temporary, target)
    except OSError as error:
        with suppress(OSError):
            temporary.unlink()
        raise StateError(f"cannot write {target}: {error.strerror or error}") from error


def put_blob(path: Path, data: bytes) -> None:
    """Write a file and its sidecar, durably."""
    write_attributes(path, data)
    write_atomic(path, data)


def remove_blob(path: Path) -> None:
    """Remove a file and its sidecar when they are there."""
    for target in (path, path.with_name(path.name + ".attrs")):
        with suppress(FileNotFoundError):
            target.unlink()
