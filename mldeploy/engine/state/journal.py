"""Steps recorded between two writes of a large checkpoint.

A checkpoint of N resources costs N to write, so writing it after each of N steps would cost N². The journal
takes one durable line per mutation instead; the checkpoint is rewritten at intervals and at the end. A killed
engine's journal is merged into the checkpoint by the next embedded engine that takes the lock.

Line 1 is the header: the checkpoint it continues (SHA-256), the keys of its resources in order, how many of
them are new ones, the keys of its operations. Then: `["r", key, resource]` puts a resource, `["m", key, old]`
moves one among the new ones, `["d", key]` drops it, `["o", key, operation]` begins an operation, `["c", key]`
ends it.
"""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any

from mldeploy.engine.base import files
from mldeploy.engine.base.errors import StateError
from mldeploy.engine.state.checkpoint import parse, write_checkpoint
from mldeploy.engine.state.serde import dumps, state_features
from mldeploy.values.property_value import BYTE_STRING_SIG, is_list, is_map


class JournalWriter:
    """Appends durable lines. Opened anew after each checkpoint write."""

    def __init__(
        self, path: Path, checkpoint: bytes, keys: list[int], news: int, operations: list[int]
    ) -> None:
        header = {
            "version": 1,
            "checkpoint": hashlib.sha256(checkpoint).hexdigest(),
            "resources": keys,
            "news": news,
            "operations": operations,
        }
        self._path = path
        try:
            flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND | os.O_CLOEXEC
            self._descriptor = os.open(path, flags, 0o600)
            files.write_all(self._descriptor, dumps(header) + b"\n")
            files.fsync(self._descriptor)
            files.sync_folder(path.parent)
        except OSError as error:
            raise StateError(f"cannot write {path}: {error.strerror or error}") from error

    def append(self, lines: list[bytes]) -> None:
        """Write lines and wait until they are on disk. Raises StateError."""
        try:
            files.write_all(self._descriptor, b"".join(line + b"\n" for line in lines))
            files.fsync(self._descriptor)
        except OSError as error:
            raise StateError(f"cannot write {self._path}: {error.strerror or error}") from error

    def close(self) -> None:
        """Close and remove the journal; its content is in the checkpoint."""
        os.close(self._descriptor)
        self._path.unlink(missing_ok=True)


def recover(journal: Path, stack_file: Path) -> str | None:
    """Merge what a killed engine left in the journal. Returns a sentence about it, None when there was none.

    Call while holding the stack's lock. A journal of another checkpoint is set aside, never merged.
    """
    try:
        raw = journal.read_bytes()
    except FileNotFoundError:
        return None
    try:
        current = stack_file.read_bytes()
    except FileNotFoundError:
        current = b""
    lines = [_parse_line(line) for line in raw.split(b"\n")[:-1]]
    header = lines[0] if lines else None
    if not is_map(header) or header.get("checkpoint") != hashlib.sha256(current).hexdigest():
        if len(lines) > 1:
            aside = journal.with_name(f"{journal.name}.stale")
            journal.replace(aside)
            return (
                "an earlier run was killed and another engine has written the state since: its last steps are"
                f" in {aside}; run a refresh to see what is there"
            )
        journal.unlink()
        return None
    merged = _merge(current, header, lines[1:], stack_file)
    write_checkpoint(stack_file, merged)
    journal.unlink()
    return f"recovered {len(lines) - 1} recorded steps of an earlier run that was killed"


def _parse_line(line: bytes) -> Any:
    try:
        return json.loads(line)
    except ValueError:
        return None


def _merge(current: bytes, header: dict[str, Any], entries: list[Any], stack_file: Path) -> bytes:
    deployment, _ = parse(current, str(stack_file))
    keys: list[int] = header["resources"]
    resources: dict[int, Any] = dict(zip(keys, deployment.get("resources") or [], strict=True))
    news = keys[: header["news"]]
    bases = keys[header["news"] :]
    operations: dict[int, Any] = dict(
        zip(header["operations"], deployment.get("pending_operations") or [], strict=True)
    )
    for entry in entries:
        if not is_list(entry):
            break  # A torn last line: the step it describes had not been confirmed.
        kind, key, *rest = entry
        if kind == "r":
            if key not in resources:
                news.append(key)
            resources[key] = rest[0]
        elif kind == "m":
            resources[key] = resources[rest[0]]
            news.append(key)
        elif kind == "d":
            resources.pop(key, None)
        elif kind == "o":
            operations[key] = rest[0]
        elif kind == "c":
            operations.pop(key, None)
    outer: dict[str, Any] = json.loads(current)
    latest: dict[str, Any] = outer["checkpoint"].setdefault("latest", {})
    latest["resources"] = [resources[key] for key in (*news, *bases) if key in resources]
    latest["pending_operations"] = list(operations.values())
    needed = {feature for item in latest["resources"] for feature in state_features(item)}
    if BYTE_STRING_SIG in json.dumps(latest):
        needed.add("byteString")
    for name in ("resources", "pending_operations"):
        if not latest[name]:
            del latest[name]
    features = {"features": sorted(needed)} if needed else {}
    return dumps({"version": 4 if needed else 3, **features, "checkpoint": outer["checkpoint"]})
