"""Stack locks, in the files the self-managed backend uses, so that both engines respect each other.

An embedded engine also holds an operating-system lock on its file. That lock dies with the process, so the
next embedded engine on the same machine can tell a dead owner from a busy one.
"""

from __future__ import annotations

import fcntl
import getpass
import json
import os
import socket
import uuid
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any

from mldeploy.engine.base.errors import LockedError, StateError

_MARK = "mldeploy"


@dataclass(frozen=True, slots=True)
class LockInfo:
    """Who holds a lock."""

    path: Path
    pid: int
    username: str
    hostname: str
    timestamp: str
    engine: str

    def __str__(self) -> str:
        return f"{self.path}: created by {self.username}@{self.hostname} (pid {self.pid}) at {self.timestamp}"


def read_locks(folder: Path) -> list[LockInfo]:
    """Locks in a stack's lock folder."""
    if not folder.is_dir():
        return []
    infos: list[LockInfo] = []
    for path in sorted(folder.glob("*.json")):
        try:
            data: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            continue
        except (OSError, ValueError):
            data = {}
        infos.append(
            LockInfo(
                path,
                int(data.get("pid") or 0),
                str(data.get("username") or "unknown"),
                str(data.get("hostname") or "unknown"),
                str(data.get("timestamp") or "an unknown time"),
                str(data.get("engine") or ""),
            )
        )
    return infos


def _owner_is_dead(info: LockInfo) -> bool:
    """Whether the lock was left by an embedded engine of this host that no longer runs."""
    if info.engine != _MARK or info.hostname != socket.gethostname():
        return False
    try:
        descriptor = os.open(info.path, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return True
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    finally:
        os.close(descriptor)
    return True


def remove_locks(folder: Path) -> list[LockInfo]:
    """Remove every lock of a stack, whoever holds it, and say which they were (`mldeploy cancel`)."""
    infos = read_locks(folder)
    for info in infos:
        _remove(info.path)
    return infos


def _remove(path: Path) -> None:
    for target in (path, path.with_name(path.name + ".attrs")):
        with suppress(FileNotFoundError):
            target.unlink()


class StackLock:
    """Holds a stack's lock while the `with` block runs.

    Raises LockedError when somebody else holds it. `taken_over` names dead owners whose locks were removed.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._path = folder / f"{uuid.uuid4()}.json"
        self._descriptor = -1
        self.taken_over: list[LockInfo] = []

    def __enter__(self) -> StackLock:
        self._check()
        content = {
            "pid": os.getpid(),
            "username": getpass.getuser(),
            "hostname": socket.gethostname(),
            "timestamp": datetime.now().astimezone().isoformat(),
            "engine": _MARK,
        }
        temporary = self._path.with_suffix(".tmp")
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            self._descriptor = os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.write(self._descriptor, json.dumps(content, separators=(",", ":")).encode())
            temporary.replace(self._path)
        except OSError as error:
            with suppress(OSError):
                temporary.unlink()
            raise StateError(
                f"cannot write the stack's lock {self._path}: {error.strerror or error}"
            ) from error
        try:
            # Looked at again after writing: of two that started together at most one may go on.
            self._check()
        except LockedError:
            self.release()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.release()

    def release(self) -> None:
        """Give the lock back."""
        _remove(self._path)
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def _check(self) -> None:
        others = [info for info in read_locks(self._folder) if info.path != self._path]
        alive: list[LockInfo] = []
        for info in others:
            if _owner_is_dead(info):
                _remove(info.path)
                self.taken_over.append(info)
            else:
                alive.append(info)
        if alive:
            listed = "".join(f"\n  {info}" for info in alive)
            raise LockedError(
                f"the stack is currently locked by {len(alive)} lock(s). Either wait for the other"
                f" process(es) to end or delete the lock with `mldeploy cancel`.{listed}"
            )
