"""A fake Azure Resource Manager in a folder: one JSON document per resource, safe to share between processes."""

from __future__ import annotations

import contextlib
import copy
import fcntl
import hashlib
import json
import os
import threading
import urllib.parse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mldeploy.values.property_value import Secret


class Store:
    """Documents ``{id, type, body, inputs, outputs, state}`` under ``<folder>/arm``, and the request log."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._arm = folder / "arm"
        self._arm.mkdir(parents=True, exist_ok=True)
        self._read: dict[str, tuple[tuple[int, int, int], dict[str, Any]]] = {}
        """What was read of each file, and the file's mark then: reading all of them is most of the work."""

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Between processes: one at a time."""
        with (self.folder / "lock").open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def _path(self, ident: str) -> Path:
        name = urllib.parse.quote(ident.lower().strip("/"), safe="")
        if len(name) > 200:
            name = name[:150] + hashlib.sha256(name.encode()).hexdigest()
        return self._arm / f"{name}.json"

    def get(self, ident: str) -> dict[str, Any] | None:
        """The document, one's own copy, or None. Ids are compared without case, as ARM does."""
        return copy.deepcopy(self._document(self._path(ident)))

    def _document(self, path: Path) -> dict[str, Any] | None:
        """What the file says, shared; None where it is not there, or not any more: others delete meanwhile."""
        try:
            found = path.stat()
            mark = (found.st_mtime_ns, found.st_ino, found.st_size)
            known = self._read.get(path.name)
            if known is None or known[0] != mark:
                known = self._read[path.name] = (mark, json.loads(path.read_text("utf-8")))
        except FileNotFoundError:
            return None
        return known[1]

    def put(self, ident: str, document: dict[str, Any]) -> None:
        """Write it whole or not at all."""
        path = self._path(ident)
        temporary = path.with_suffix(f".{os.getpid()}.{threading.get_ident()}.tmp")
        temporary.write_text(json.dumps({"id": ident, **document}, indent=1, sort_keys=True), "utf-8")
        temporary.replace(path)

    def delete(self, ident: str) -> bool:
        """Remove it and everything below it, as ARM does. Returns whether it was there."""
        found = self._path(ident).exists()
        for child in self.all():
            if child["id"].lower() == ident.lower() or child["id"].lower().startswith(ident.lower() + "/"):
                self._path(child["id"]).unlink(missing_ok=True)
        return found

    def all(self) -> list[dict[str, Any]]:
        """Every document, sorted by id; not to be changed."""
        found = [document for path in self._arm.glob("*.json") if (document := self._document(path))]
        return sorted(found, key=lambda document: document["id"].lower())

    def of(self, arm: str) -> list[dict[str, Any]]:
        """Every document of an ARM type."""
        return [document for document in self.all() if document["type"] == arm]

    def ids(self) -> list[str]:
        """Every id."""
        return [document["id"] for document in self.all()]

    def record(self, entry: dict[str, Any]) -> int:
        """Append one line to ``requests.jsonl``; returns its number, from 0."""
        path = self.folder / "requests.jsonl"
        with path.open("a+", encoding="utf-8") as file:
            file.seek(0)
            number = sum(1 for _ in file)
            file.write(json.dumps({"n": number, **entry}, sort_keys=True) + "\n")
        return number

    def requests(self) -> list[dict[str, Any]]:
        """What was asked of the service so far."""
        path = self.folder / "requests.jsonl"
        return [json.loads(line) for line in path.read_text("utf-8").splitlines()] if path.exists() else []


def masked(value: Any) -> Any:
    """``value`` with every secret replaced by a mark that tells equal from changed, and nothing else."""
    if isinstance(value, Secret):
        text = json.dumps(_plain(value.value), sort_keys=True)
        return {"$secret": hashlib.sha256(text.encode()).hexdigest()[:12]}
    if isinstance(value, dict):
        return {key: masked(item) for key, item in value.items()}
    if isinstance(value, list):
        return [masked(item) for item in value]
    return value


def _plain(value: Any) -> Any:
    if isinstance(value, Secret):
        return _plain(value.value)
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list) else value


def is_mask(value: Any) -> bool:
    """Whether a value read back stands for a secret."""
    return isinstance(value, dict) and set(value) == {"$secret"}
