"""Content hashes of assets and archives, the same as Pulumi computes."""

from __future__ import annotations

import hashlib
import io
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mldeploy.engine.base.errors import EngineError, UnsupportedError
from mldeploy.values.property_value import Archive, Asset, PropertyMap, Value, is_list, is_map, is_plain

_ARCHIVE_SUFFIXES = (".tar", ".tgz", ".tar.gz", ".zip", ".jar")
_CHUNK = 1 << 20


def hash_assets(props: PropertyMap, root: Path) -> None:
    """Fill in the hash of every asset and archive; paths are relative to `root`.

    Raises EngineError when a file cannot be read.
    """
    for value in props.values():
        _visit(value, root)


def _visit(value: Value, root: Path) -> None:
    if is_plain(value):
        return
    if isinstance(value, Asset):
        if not value.hash:
            value.hash = _asset_hash(value, root)
    elif isinstance(value, Archive):
        for child in (value.assets or {}).values():
            _visit(child, root)
        if not value.hash:
            value.hash = _archive_hash(value, root)
    elif is_map(value):
        items: dict[str, Any] = value
        for child in items.values():
            _visit(child, root)
    elif is_list(value):
        elements: list[Any] = value
        for child in elements:
            _visit(child, root)
    elif hasattr(value, "value"):
        _visit(value.value, root)


def _file_hash(path: Path, what: str) -> str:
    digest = hashlib.sha256()
    try:
        with path.open("rb") as file:
            while chunk := file.read(_CHUNK):
                digest.update(chunk)
    except OSError as error:
        raise EngineError(f"failed to open {what} {str(path)!r}: {error.strerror}") from None
    return digest.hexdigest()


def _asset_bytes(asset: Asset, root: Path) -> bytes:
    if asset.text is not None:
        return asset.text.encode()
    if asset.path is not None:
        path = root / asset.path
        try:
            return path.read_bytes()
        except OSError as error:
            raise EngineError(f"failed to open asset file {str(path)!r}: {error.strerror}") from None
    raise UnsupportedError(f"remote assets are not supported by the embedded engine ({asset.uri!r})")


def _asset_hash(asset: Asset, root: Path) -> str:
    if asset.path is not None and asset.text is None:
        return _file_hash(root / asset.path, "asset file")
    return hashlib.sha256(_asset_bytes(asset, root)).hexdigest()


def _archive_hash(archive: Archive, root: Path) -> str:
    if archive.uri is not None:
        raise UnsupportedError(f"remote archives are not supported by the embedded engine ({archive.uri!r})")
    if archive.path is not None:
        path = root / archive.path
        if path.is_file():
            if not path.name.endswith(_ARCHIVE_SUFFIXES):
                raise EngineError(f"{archive.path!r} is neither a folder nor an archive {_ARCHIVE_SUFFIXES}")
            return _file_hash(path, "archive file")
    digest = hashlib.sha256()
    written = 0
    seen: set[str] = set()
    for name, data in _archive_files(archive, root):
        if name in seen:
            continue
        seen.add(name)
        block = tar_entry(name, data)
        digest.update(block)
        written += len(block)
    digest.update(b"\0" * 1024)
    return digest.hexdigest()


def tar_entry(name: str, data: bytes) -> bytes:
    """Header, content and padding of one file in the layout of Go's tar writer (ustar, mode 0600, time zero)."""
    prefix, base = _split_name(name)
    fields = (
        base.ljust(100, b"\0"),
        b"0000600\0",  # mode
        b"0000000\0" * 2,  # owner, group
        b"%011o\0" % len(data),
        b"00000000000\0",  # time
        b" " * 8,  # the checksum counts as blanks
        b"0",  # a regular file
        b"\0" * 100,
        b"ustar\0" + b"00",
        b"\0" * 64,
        b"0000000\0" * 2,  # device
        prefix.ljust(155, b"\0"),
        b"\0" * 12,
    )
    header = b"".join(fields)
    header = header[:148] + b"%06o\0 " % sum(header) + header[156:]
    return header + data + b"\0" * (-len(data) % 512)


def _split_name(name: str) -> tuple[bytes, bytes]:
    """The two name fields of a ustar header. Raises UnsupportedError for names that do not fit."""
    raw = name.encode()
    if len(raw) <= 100 and name.isascii():
        return b"", raw
    cut = raw.rfind(b"/", 0, min(len(raw) - 1, 156))
    if name.isascii() and cut > 0 and len(raw) - cut - 1 <= 100:
        return raw[:cut], raw[cut + 1 :]
    raise UnsupportedError(
        f"archives with file names that are long or not ASCII need the pulumi CLI ({name!r})"
    )


def _archive_files(archive: Archive, root: Path) -> Iterator[tuple[str, bytes]]:  # noqa: PLR0912
    """Every file of the archive by name, in the order Pulumi writes them."""
    if archive.assets is not None:
        for key in sorted(archive.assets):
            child = archive.assets[key]
            if isinstance(child, Asset):
                yield key, _asset_bytes(child, root)
            else:
                for name, data in _archive_files(child, root):
                    yield f"{key}/{name}", data
        return
    path = root / (archive.path or "")
    if path.is_dir():
        yield from _folder_files(path)
    elif zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as zipped:
            for entry in zipped.infolist():
                if not entry.is_dir():
                    yield entry.filename, zipped.read(entry)
    else:
        try:
            with tarfile.open(path) as tar:
                for member in tar:
                    if member.isfile():
                        content = tar.extractfile(member) or io.BytesIO()
                        yield member.name, content.read()
        except (OSError, tarfile.TarError) as error:
            raise EngineError(f"failed to open archive file {str(path)!r}: {error}") from None


def _folder_files(folder: Path) -> Iterator[tuple[str, bytes]]:
    """Files of a folder in walk order: each folder's entries sorted by name, links followed to files."""

    def walk(current: Path) -> Iterator[Path]:
        for entry in sorted(current.iterdir(), key=lambda p: p.name):
            if entry.name == ".pulumi" and current == folder:
                continue
            if entry.is_dir() and not entry.is_symlink():
                yield from walk(entry)
            elif entry.is_file():
                yield entry

    for file in walk(folder):
        yield file.relative_to(folder).as_posix(), file.read_bytes()
