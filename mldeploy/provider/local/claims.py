"""Shared things on disk that go with the last record that needs them."""

from __future__ import annotations

import fcntl
import json
import os
import secrets
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from mldeploy.home import private_folder


class Claims:
    """Who needs what: ``<folder>/<key>/<claim>.json``, safe between processes.

    Args:
        folder: where the claims are kept; created when missing.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = private_folder(folder)

    @contextmanager
    def locked(self) -> Generator[None]:
        """Nobody else adds or releases claims of this folder meanwhile. Not reentrant."""
        with (self._folder / ".lock").open("a") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def add(self, key: str, claim: str, record: Mapping[str, Any] | None = None) -> None:
        """Claim ``key``."""
        with self.locked():
            write_json(private_folder(self._folder / key) / f"{claim}.json", dict(record or {}))

    def drop(self, key: str, claim: str) -> bool:
        """Give a claim up, inside :meth:`locked`; says whether nobody claims ``key`` any more."""
        folder = self._folder / key
        (folder / f"{claim}.json").unlink(missing_ok=True)
        if folder.is_dir() and not any(folder.iterdir()):
            folder.rmdir()
        return not folder.exists()

    def of(self, key: str) -> list[str]:
        """The claims on ``key``."""
        folder = self._folder / key
        return sorted(file.stem for file in folder.glob("*.json")) if folder.is_dir() else []

    def records(self) -> Iterator[tuple[str, str, dict[str, Any]]]:
        """(key, claim, record) of everything that is claimed."""
        for file in self._folder.glob("*/*.json"):
            with suppress(OSError, ValueError):
                record: dict[str, Any] = json.loads(file.read_text())
                yield file.parent.name, file.stem, record


def write_json(file: Path, value: Any, mode: int = 0o600) -> None:
    """Replace a file by the JSON of ``value``, atomically and durably."""
    temporary = file.with_name(f".{file.name}.{secrets.token_hex(4)}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(descriptor, "w") as out:
        json.dump(value, out)
        out.flush()
        os.fsync(out.fileno())
    temporary.replace(file)
