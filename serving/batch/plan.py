"""The input's files, and how they become mini batches."""

from __future__ import annotations

import fnmatch
import hashlib
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from serving.batch.options import Options, UsageError
from serving.batch.tables import LINES, TABULAR, Amount, Piece, pieces


@dataclass(frozen=True)
class MiniBatch:
    """Files for one call, or a piece of one file."""

    index: int
    files: tuple[int, ...]
    """Positions in the list of files."""
    items: int
    """Files, lines or rows in it."""
    piece: Piece | None = None

    def to_json(self) -> dict[str, Any]:
        """For the worker."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> MiniBatch:
        """What `to_json` made."""
        piece = value["piece"]
        return cls(value["index"], tuple(value["files"]), value["items"], Piece(**piece) if piece else None)


@dataclass(frozen=True)
class File:
    """An input file."""

    name: str
    """Relative to the input folder, with `/`."""
    size: int
    mtime_ns: int


def find_files(options: Options) -> tuple[Path, list[File]]:
    """The folder and its files by name. Hidden files and the output folder are left out.

    Raises:
        UsageError: there are none, or the folder cannot be read.
    """
    root = options.input
    if options.output == (root.parent if root.is_file() else root):
        raise UsageError(f"--output: {root} is the input; give another folder, it may be inside")
    if root.is_file():
        return root.parent, [_file(root, root.name)]
    if not root.is_dir():
        raise UsageError(f"--input: {root}: no such file or folder")

    def refuse(problem: OSError) -> None:
        raise UsageError(f"--input: {problem.filename}: {problem.strerror}") from problem

    found: list[File] = []
    for folder, folders, names in os.walk(root, onerror=refuse, followlinks=False):
        here = Path(folder)
        folders[:] = [f for f in folders if not f.startswith(".") and here / f != options.output]
        for name in names:
            shown = (here / name).relative_to(root).as_posix()
            if not name.startswith(".") and _included(shown, options.include) and (here / name).is_file():
                found.append(_file(here / name, shown))
    if not found:
        wanted = f" that match {' or '.join(options.include)}" if options.include else ""
        raise UsageError(f"--input: {root} has no files{wanted}")
    return root, sorted(found, key=lambda file: file.name)


def _included(name: str, patterns: tuple[str, ...]) -> bool:
    base = name.rpartition("/")[2]
    return not patterns or any(fnmatch.fnmatchcase(base, p) or fnmatch.fnmatchcase(name, p) for p in patterns)


def _file(path: Path, name: str) -> File:
    found = path.stat()
    return File(name, found.st_size, found.st_mtime_ns)


def fingerprint(options: Options, style: str, files: list[File]) -> dict[str, Any]:
    """What has to stay the same for a run to be continued."""
    return {
        "entry_script": hashlib.sha256(options.entry_script.read_bytes()).hexdigest(),
        "style": style,
        "mini_batch_size": str(options.mini_batch_size) if options.mini_batch_size else "default",
        "output_action": options.output_action,
        "output_file_name": options.output_file_name,
        "files": [[file.name, file.size, file.mtime_ns] for file in files],
    }


def mini_batches(root: Path, files: list[File], style: str, amount: Amount) -> list[MiniBatch]:
    """All mini batches, in the order of their files.

    Args:
        root: The input folder.
        files: Its files.
        style: `mini_batch`, `tabular` or `online`.
        amount: The most files, rows or lines of one; or its bytes, for tables and JSON lines.

    Raises:
        UsageError: a file is no table, or files are to be counted in bytes.
    """
    if amount.bytes and style == "mini_batch":
        raise UsageError("--mini-batch-size: bytes are for tables and JSON lines; give a number of files")
    found: list[MiniBatch] = []
    whole: list[int] = []
    most = 1 if amount.bytes else amount.count

    def end_whole() -> None:
        if whole:
            found.append(MiniBatch(len(found), tuple(whole), len(whole)))
            whole.clear()

    for position, file in enumerate(files):
        suffix = Path(file.name).suffix.lower()
        if style == "tabular" and suffix not in TABULAR:
            raise UsageError(f"{file.name}: not a table; allowed: {', '.join(TABULAR)} (see --include)")
        if style == "tabular" or (style == "online" and suffix in LINES):
            end_whole()
            found += [
                MiniBatch(len(found) + n, (position,), piece.items, piece)
                for n, piece in enumerate(_pieces(root / file.name, file.name, amount))
            ]
            continue
        whole.append(position)
        if len(whole) == most:
            end_whole()
    end_whole()
    return found


def _pieces(path: Path, name: str, amount: Amount) -> list[Piece]:
    try:
        return list(pieces(path, amount))
    except (OSError, ValueError) as problem:
        raise UsageError(f"{name}: cannot be read as a table: {problem}") from problem
