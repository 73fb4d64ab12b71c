"""Digests of files and folders: streaming, canonical, safe with links and special files.

A digest is SHA-256 over a canonical listing: for each regular file, sorted by its path's UTF-8 bytes, the
path, the size and the SHA-256 of the bytes. A single file is a listing of one, so that its name counts.
Times, owners, modes, empty folders and the place on disk do not. A link counts as what it points to, and must
point inside the same folder.
"""

from __future__ import annotations

import fnmatch
import hashlib
import os
import re
import sqlite3
import stat
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol

CHUNK = 1 << 20
_FORMAT = b"mldeploy content 1\n"
# A file changed in the same tick of the file system's clock as it was hashed cannot be told apart later.
_SETTLED_SECONDS = 2.0


class ContentError(ValueError):
    """Content that cannot be digested: what it is, where, and what is allowed."""


@dataclass(frozen=True)
class Entry:
    """One regular file: ``name`` is its POSIX path inside the content, ``path`` where it really is."""

    name: str
    path: Path
    size: int


class HashCache(Protocol):
    """Remembers the SHA-256 of files that did not change."""

    def get(self, path: Path, found: os.stat_result) -> str | None:
        """The remembered hexadecimal hash, if the file is still the same one."""
        ...

    def put(self, path: Path, found: os.stat_result, digest: str) -> None:
        """Remember it."""
        ...


class Ignore:
    """Patterns in the syntax of `.gitignore`: comments, `!`, anchors, trailing `/`, `*`, `?`, `[…]`, `**`."""

    def __init__(self, lines: Sequence[str]) -> None:
        self._rules = [rule for line in lines if (rule := _rule(line))]

    def __call__(self, name: str, is_folder: bool) -> bool:
        """Whether the POSIX path ``name`` is left out; the last pattern that matches decides."""
        ignored = False
        for pattern, keeps, folders_only in self._rules:
            if (is_folder or not folders_only) and pattern.fullmatch(name):
                ignored = not keeps
        return ignored


ALWAYS_IGNORED = (
    "__pycache__/",
    "*.pyc",
    ".git/",
    ".DS_Store",
    ".ipynb_checkpoints/",
    ".pytest_cache/",
    ".venv/",
    # What editors leave beside a file while it is open.
    "*~",
    "*.sw[a-p]",
    "#*#",
    ".#*",
)


def source_ignore(folder: Path) -> Ignore:
    """What is left out of a source directory: caches, and what its `.amlignore` says, else its `.gitignore`
    (as Azure ML did for snapshots), and its `.dockerignore`."""
    lines = list(ALWAYS_IGNORED)
    names = (".amlignore",) if (folder / ".amlignore").is_file() else (".gitignore",)
    for name in (*names, ".dockerignore"):
        with suppress(FileNotFoundError):
            lines += (folder / name).read_text("utf-8", errors="replace").splitlines()
    return Ignore(lines)


def _rule(line: str) -> tuple[re.Pattern[str], bool, bool] | None:
    line = line.rstrip("\r\n")
    line = line if line.endswith("\\ ") else line.rstrip()
    if not line or line.startswith("#"):
        return None
    keeps = line.startswith("!")
    line = line.removeprefix("!").removeprefix("\\")
    folders_only = line.endswith("/")
    line = line.rstrip("/")
    anchored = "/" in line
    parts = line.lstrip("/").split("/")
    expression = "" if anchored else "(?:.*/)?"
    for index, part in enumerate(parts):
        last = index == len(parts) - 1
        if part == "**":
            expression += ".*" if last else "(?:.*/)?"
        else:
            expression += _segment(part) + ("" if last else "/")
    return (re.compile(expression, re.DOTALL), keeps, folders_only) if parts != [""] else None


def _segment(glob: str) -> str:
    """One path segment's pattern: like fnmatch, except that nothing matches a slash."""
    made = ""
    for piece in re.findall(r"\[[!^]?\]?[^\]]*\]|\*+|\\.|.", glob, re.DOTALL):
        if piece[0] == "*":
            made += "[^/]*"
        elif piece == "?":
            made += "[^/]"
        elif piece[0] == "[" and len(piece) > 2:
            made += fnmatch.translate(piece.replace("[^", "[!", 1)).removeprefix("(?s:").split(")")[0]
        else:
            made += re.escape(piece[-1])
    return made


def entries(source: Path, ignore: Callable[[str, bool], bool] | None = None) -> list[Entry]:
    """The regular files of a file or folder, sorted by name.

    Raises:
        ContentError: it is missing, empty or unreadable; a link dangles, loops or leads outside; something is
            neither file nor folder; a name is not Unicode.
    """
    try:
        found = source.stat()
    except OSError as error:
        raise ContentError(f"{source}: {error.strerror or error}") from None
    if stat.S_ISREG(found.st_mode):
        return [Entry(_name(source.name, source), source, found.st_size)]
    if not stat.S_ISDIR(found.st_mode):
        raise ContentError(f"{source} is a {_kind(found.st_mode)}: only files and folders are allowed")
    root = source.resolve()
    listed = sorted(_walk(root, root, "", ignore, ()), key=lambda entry: entry.name.encode())
    if not listed:
        raise ContentError(f"{source} has no file in it")
    return listed


def _walk(
    root: Path, folder: Path, prefix: str, ignore: Callable[[str, bool], bool] | None, above: tuple[Path, ...]
) -> Iterator[Entry]:
    real = folder.resolve()
    if real in above:
        raise ContentError(f"{folder}: this link leads back to a folder that holds it")
    try:
        children = list(os.scandir(folder))
    except OSError as error:
        raise ContentError(f"{folder}: {error.strerror or error}") from None
    for child in children:
        path = folder / child.name
        name = prefix + _name(child.name, path)
        if ignore and ignore(name, child.is_dir(follow_symlinks=False)):
            continue
        found = _stat_inside(root, path, is_link=child.is_symlink())
        if ignore and child.is_symlink() and ignore(name, stat.S_ISDIR(found.st_mode)):
            continue
        if stat.S_ISDIR(found.st_mode):
            yield from _walk(root, path, f"{name}/", ignore, (*above, real))
        elif stat.S_ISREG(found.st_mode):
            yield Entry(name, path, found.st_size)
        else:
            raise ContentError(f"{path} is a {_kind(found.st_mode)}: only files and folders are allowed")


def _stat_inside(root: Path, path: Path, *, is_link: bool) -> os.stat_result:
    try:
        if not is_link:
            return path.stat(follow_symlinks=False)
        target = path.resolve(strict=True)
        if not target.is_relative_to(root):
            raise ContentError(
                f"{path} is a link to {path.readlink()}, outside of {root}: copy the target into it"
            )
        return target.stat()
    except FileNotFoundError:
        raise ContentError(f"{path} is a link to {path.readlink()}, which does not exist") from None
    except (OSError, RuntimeError) as error:  # RuntimeError: a loop of links, before Python 3.13
        raise ContentError(f"{path}: {getattr(error, 'strerror', None) or error}") from None


def _name(name: str, path: Path) -> str:
    try:
        name.encode()
    except UnicodeEncodeError:
        raise ContentError(f"{os.fsencode(path)!r}: the file name is not valid UTF-8") from None
    return name


def _kind(mode: int) -> str:
    kinds = {stat.S_IFIFO: "pipe", stat.S_IFSOCK: "socket", stat.S_IFCHR: "device", stat.S_IFBLK: "device"}
    return kinds.get(stat.S_IFMT(mode), "special file")


def digest(
    source: Path, ignore: Callable[[str, bool], bool] | None = None, cache: HashCache | None = None
) -> str:
    """The content digest (64 hexadecimal digits) of a file or a folder; memory use does not grow with its
    size.

    Raises:
        ContentError: see :func:`entries`; also when a file changes while it is read.
    """
    return digest_entries(entries(source, ignore), cache)


def digest_entries(listed: Sequence[Entry], cache: HashCache | None = None) -> str:
    """The digest of an already made listing."""
    return combine((entry.name, entry.size, file_hash(entry.path, cache)) for entry in listed)


def combine(files: Iterator[tuple[str, int, str]]) -> str:
    """The digest of (name, size in bytes, SHA-256) triples that are sorted by name."""
    total = hashlib.sha256(_FORMAT)
    for name, size, file_digest in files:
        encoded = name.encode()
        total.update(b"%d %s %d %s\n" % (len(encoded), encoded, size, file_digest.encode()))
    return total.hexdigest()


def text_digest(*parts: str) -> str:
    """A digest over texts that are kept apart by their lengths."""
    return combine((str(index), len(part), part) for index, part in enumerate(parts))


def file_hash(path: Path, cache: HashCache | None = None) -> str:
    """The SHA-256 of a regular file.

    Raises:
        ContentError: it cannot be read, is no regular file, or changes meanwhile.
    """
    try:
        with open_regular(path) as file:
            before = os.fstat(file.fileno())
            if cache and (remembered := cache.get(path, before)):
                return remembered
            found = _hash(file)
            after = os.fstat(file.fileno())
    except OSError as error:
        raise ContentError(f"{path}: {error.strerror or error}") from None
    if identity(before) != identity(after):
        raise ContentError(f"{path} changed while it was read: try again when it is complete")
    if cache and time.time() - max(after.st_mtime, after.st_ctime) > _SETTLED_SECONDS:
        cache.put(path, after, found)
    return found


def _hash(file: BinaryIO) -> str:
    total = hashlib.sha256()
    while chunk := file.read(CHUNK):
        total.update(chunk)
    return total.hexdigest()


def open_regular(path: Path) -> BinaryIO:
    """Open for reading without ever waiting on a pipe.

    Raises:
        OSError: it cannot be opened.
        ContentError: it is no regular file.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    file = os.fdopen(descriptor, "rb", buffering=0)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        file.close()
        raise ContentError(f"{path} is no regular file")
    return file  # pyright: ignore[reportReturnType]


def identity(found: os.stat_result) -> tuple[int, int, int, int]:
    """What changes when a file's bytes do: size, mtime, ctime (nanoseconds) and inode."""
    return (found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino)


class SqliteHashCache:
    """A :class:`HashCache` in one file, shared by processes. Losing it costs time only. For one thread."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._connection: sqlite3.Connection | None = None

    def get(self, path: Path, found: os.stat_result) -> str | None:
        """The remembered hash, if size, mtime, ctime and inode are still the same."""
        rows = self._run(
            "select identity, digest from hashes where path = ?", (os.fsencode(path.absolute()),)
        )
        key = ":".join(map(str, identity(found)))
        return next((digest for stored, digest in rows if stored == key), None)

    def put(self, path: Path, found: os.stat_result, digest: str) -> None:
        """Remember a hash."""
        key = ":".join(map(str, identity(found)))
        statement = "insert or replace into hashes (path, identity, digest) values (?, ?, ?)"
        self._run(statement, (os.fsencode(path.absolute()), key, digest))

    def close(self) -> None:
        """Let the file go; it is opened again when it is needed."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def __enter__(self) -> SqliteHashCache:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __del__(self) -> None:
        self.close()

    def _run(self, statement: str, values: tuple[object, ...]) -> list[tuple[str, str]]:
        try:
            if self._connection is None:
                self._connection = _open_cache(self._file)
            return self._connection.execute(statement, values).fetchall()
        except sqlite3.DatabaseError as error:
            self.close()
            if not isinstance(error, sqlite3.OperationalError):
                self._file.unlink(missing_ok=True)  # damaged: start again
            return []


def _open_cache(file: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(file, timeout=5, isolation_level=None, check_same_thread=False)
    # What a power cut loses is hashed again.
    connection.execute("pragma synchronous = off")
    connection.execute(
        "create table if not exists hashes (path blob primary key, identity text, digest text)"
    )
    return connection
