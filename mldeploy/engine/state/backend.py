"""Pulumi's self-managed file backend: where stacks, backups, history and locks are kept.

.pulumi/meta.yaml                                        layout version
.pulumi/stacks/<project>/<stack>.json (+ .bak)           the checkpoint
.pulumi/backups/<project>/<stack>/<stack>.<ns>.json      the checkpoint after each update
.pulumi/history/<project>/<stack>/<stack>-<ns>.{history,checkpoint}.json
.pulumi/locks/organization/<project>/<stack>/<uuid>.json
"""

from __future__ import annotations

import json
import os
import re
import shutil
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from mldeploy.engine.base.errors import EngineError, StateError, UnsupportedError
from mldeploy.engine.base.files import put_blob, remove_blob
from mldeploy.values.property_value import is_map


@dataclass(frozen=True, slots=True)
class StackReference:
    """A stack of a project."""

    project: str
    name: str

    @property
    def qualified(self) -> str:
        """`organization/<project>/<stack>`, the name inside checkpoints."""
        return f"organization/{self.project}/{self.name}"


class FileBackend:
    """The backend in one folder. Cheap to make; nothing is created before the first write."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.root = folder / ".pulumi"
        self._legacy: bool | None = None

    @property
    def url(self) -> str:
        """The backend's URL, as the CLI spells it."""
        return f"file://{self.folder}"

    @property
    def legacy(self) -> bool:
        """Whether stacks lie directly in `stacks/`, without projects (layout version 0)."""
        if self._legacy is None:
            self._legacy = self._read_version() == 0
        return self._legacy

    def _read_version(self) -> int:
        meta = self.root / "meta.yaml"
        try:
            data = yaml.safe_load(meta.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return 0 if any(self._stack_files(self.root / "stacks")) else 1
        except (OSError, yaml.YAMLError) as error:
            raise StateError(f"cannot read {meta}: {error}") from None
        if not is_map(data) or not isinstance(data.get("version"), int):
            raise StateError(f"{meta}: corrupt, 'version' is missing")
        version: int = data["version"]
        if version not in (0, 1):
            raise UnsupportedError(f"{meta}: layout version {version} is newer than this engine knows (0, 1)")
        return version

    def ensure(self) -> None:
        """Create the folder and `meta.yaml` when they are missing."""
        meta = self.root / "meta.yaml"
        if not meta.is_file() and not self.legacy:
            put_blob(meta, b"version: 1\n")

    def _under(self, kind: str, ref: StackReference) -> Path:
        base = self.root / kind
        return base / ref.name if self.legacy else base / ref.project / ref.name

    def stack_file(self, ref: StackReference) -> Path:
        """The checkpoint's path."""
        path = self._under("stacks", ref)
        return path.with_name(path.name + ".json")

    def journal_file(self, ref: StackReference) -> Path:
        """Where steps are recorded between two writes of a large checkpoint."""
        path = self._under("stacks", ref)
        return path.with_name(path.name + ".journal")

    def lock_folder(self, ref: StackReference) -> Path:
        """Where the stack's locks lie."""
        base = self.root / "locks"
        return base / ref.name if self.legacy else base / "organization" / ref.project / ref.name

    def copies(self, ref: StackReference) -> list[Path]:
        """Every file that holds the stack's resources: checkpoint, journals, backups, history."""
        file, journal = self.stack_file(ref), self.journal_file(ref)
        found = [
            file,
            file.with_name(file.name + ".bak"),
            journal,
            journal.with_name(journal.name + ".stale"),
        ]
        for kind in ("backups", "history"):
            folder = self._under(kind, ref)
            if folder.is_dir():
                found += sorted(p for p in folder.glob("*.json") if not p.name.endswith(".history.json"))
        return [path for path in found if path.is_file()]

    def refuse_compressed(self, ref: StackReference) -> None:
        """Raise UnsupportedError when the CLI keeps this stack compressed."""
        file = self.stack_file(ref)
        for suffix in (".gz", ".zst"):
            packed = file.with_name(file.name + suffix)
            if packed.exists():
                raise UnsupportedError(f"{packed}: compressed state needs the pulumi CLI")

    @staticmethod
    def _stack_files(folder: Path) -> list[Path]:
        if not folder.is_dir():
            return []
        return sorted(p for p in folder.iterdir() if p.suffix == ".json" and p.is_file())

    def stacks(self) -> list[StackReference]:
        """Every stack of the backend."""
        base = self.root / "stacks"
        if self.legacy:
            return [StackReference("", p.stem) for p in self._stack_files(base)]
        if not base.is_dir():
            return []
        return [
            StackReference(folder.name, file.stem)
            for folder in sorted(base.iterdir())
            if folder.is_dir()
            for file in self._stack_files(folder)
        ]

    def add_history(self, ref: StackReference, entry: dict[str, Any]) -> None:
        """Record a finished update: its entry, a copy of the checkpoint, and a backup."""
        checkpoint = self.stack_file(ref).read_bytes()
        stamp = time.time_ns()
        history = self._under("history", ref)
        text = json.dumps(entry, separators=(",", ":"), ensure_ascii=False).encode()
        put_blob(history / f"{ref.name}-{stamp}.history.json", text)
        put_blob(history / f"{ref.name}-{stamp}.checkpoint.json", checkpoint)
        if os.environ.get("PULUMI_DIY_BACKEND_DISABLE_CHECKPOINT_BACKUPS", "").lower() not in ("1", "true"):
            put_blob(self._under("backups", ref) / f"{ref.name}.{stamp}.json", checkpoint)

    def history(self, ref: StackReference) -> list[dict[str, Any]]:
        """Finished updates, newest first."""
        folder = self._under("history", ref)
        files = sorted(folder.glob("*.history.json"), reverse=True) if folder.is_dir() else []
        return [json.loads(file.read_text(encoding="utf-8")) for file in files]

    def remove_stack(self, ref: StackReference, *, remove_backups: bool = False) -> None:
        """Forget a stack: its checkpoint becomes the `.bak`, its history goes."""
        file = self.stack_file(ref)
        bak = file.with_name(file.name + ".bak")
        if not file.exists():
            raise EngineError(f"no stack named {ref.name!r} in {self.url}")
        if remove_backups:
            remove_blob(file)
            remove_blob(bak)
            shutil.rmtree(self._under("backups", ref), ignore_errors=True)
        else:
            put_blob(bak, file.read_bytes())
            remove_blob(file)
        with suppress(FileNotFoundError):
            self.journal_file(ref).unlink()
        shutil.rmtree(self._under("history", ref), ignore_errors=True)


def clean_temporaries(folder: Path, name: str) -> None:
    """Remove what a killed engine left of half-written files. Call while holding the stack's lock."""
    if not folder.is_dir():
        return
    pattern = re.compile(rf"^\.{re.escape(name)}[^/]*\.tmp$")
    for entry in folder.iterdir():
        if pattern.match(entry.name):
            with suppress(FileNotFoundError):
                entry.unlink()
