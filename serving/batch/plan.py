"""The input's files, and how they become mini batches."""

from __future__ import annotations

import fnmatch
import hashlib
import os
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from serving.batch.options import Options, UsageError

LINES = (".jsonl", ".ndjson")
TABULAR = (".csv", ".tsv", ".parquet", *LINES)


@dataclass(frozen=True)
class MiniBatch:
    """Files for one call, or a piece of one file: `stop > 0`, in bytes (lines of JSON) or rows (tables)."""

    index: int
    files: tuple[int, ...]
    """Positions in the list of files."""
    items: int
    """Files, lines or rows in it."""
    start: int = 0
    stop: int = 0
    first: int = 0
    """The piece's first line or row, counted from 0."""

    def to_json(self) -> dict[str, Any]:
        """For the worker."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> MiniBatch:
        """What `to_json` made."""
        return cls(**dict(value, files=tuple(value["files"])))


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
        "mini_batch_size": options.mini_batch_size,
        "output_action": options.output_action,
        "output_file_name": options.output_file_name,
        "files": [[file.name, file.size, file.mtime_ns] for file in files],
    }


def split(count: int, size: int) -> Iterator[tuple[int, int]]:
    """`(start, stop)` of consecutive pieces of at most `size` of `count` things."""
    return ((start, min(start + size, count)) for start in range(0, count, size))


def lines(path: Path, size: int) -> Iterator[tuple[int, int, int, int]]:
    """Pieces of at most `size` lines that are not blank: first byte, byte after, number of lines, first line."""
    start = position = count = first = 0
    with path.open("rb") as stream:
        for number, line in enumerate(stream):
            if not count:
                start, first = position, number
            position += len(line)
            count += bool(line.strip())
            if count == size:
                yield start, position, count, first
                count = 0
    if count:
        yield start, position, count, first


def mini_batches(
    root: Path, files: list[File], style: str, size: int, count_rows: Callable[[str], int]
) -> list[MiniBatch]:
    """All mini batches, in the order of their files.

    Args:
        root: The input folder.
        files: Its files.
        style: `mini_batch`, `tabular` or `online`.
        size: The most files, rows or lines of one.
        count_rows: Rows of a table, by the file's name.

    Raises:
        UsageError: a file is no table.
    """
    found: list[MiniBatch] = []
    whole: list[int] = []

    def end_whole() -> None:
        if whole:
            found.append(MiniBatch(len(found), tuple(whole), len(whole)))
            whole.clear()

    for position, file in enumerate(files):
        suffix = Path(file.name).suffix.lower()
        if style == "tabular":
            if suffix not in TABULAR:
                raise UsageError(f"{file.name}: not a table; allowed: {', '.join(TABULAR)} (see --include)")
            for start, stop in split(count_rows(file.name), size):
                found.append(MiniBatch(len(found), (position,), stop - start, start, stop, start))
        elif style == "online" and suffix in LINES:
            end_whole()
            for start, stop, count, first in lines(root / file.name, size):
                found.append(MiniBatch(len(found), (position,), count, start, stop, first))
        else:
            whole.append(position)
            if len(whole) == size:
                end_whole()
    end_whole()
    return found
