"""Where collected data ends up: a folder, or a container in Azure Blob Storage."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Protocol

_TRIES = 4
_MOST_BLOCKS = 40_000
_BLOCK = 4 * 1024 * 1024
_MOST_OPEN = 1000
_PRECONDITION_FAILED = 412


class Store(Protocol):
    """Takes named pieces. Both methods raise OSError when nothing was written."""

    def append(self, name: str, data: bytes) -> None:
        """Add whole lines to the end of `name`."""
        ...

    def put(self, name: str, data: bytes) -> None:
        """Write `name` as a whole; it does not exist yet."""
        ...


class Folder:
    """Files below a folder, readable by their owner only."""

    def __init__(self, root: str) -> None:
        self._root = Path(root)

    def _path(self, name: str) -> Path:
        path = self._root / name
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        return path

    def append(self, name: str, data: bytes) -> None:
        """All of it or nothing: what a full disk cut off is taken back."""
        fd = os.open(self._path(name), os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        try:
            size = os.fstat(fd).st_size
            try:
                left = memoryview(data)
                while left:
                    left = left[os.write(fd, left) :]
            except OSError:
                os.ftruncate(fd, size)
                raise
        finally:
            os.close(fd)

    def put(self, name: str, data: bytes) -> None:
        """Visible under its name only when it is whole."""
        path = self._path(name)
        building = path.with_name(f".{path.name}.part")
        try:
            with os.fdopen(os.open(building, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
                file.write(data)
            building.replace(path)
        except OSError:
            building.unlink(missing_ok=True)
            raise


class _AppendBlob:
    """One append blob. Its name is this process's own, so its length is known without asking."""

    def __init__(self, client: Any, part: int) -> None:
        self._client = client
        self.part = part
        self.blocks = 0
        self._length = 0

    def create(self) -> None:
        """Make it; an earlier attempt whose answer was lost may have made it already."""
        self._client.create_append_blob()

    def append(self, piece: bytes) -> None:
        """Add a piece once, however often it is sent."""
        from azure.core.exceptions import HttpResponseError

        try:
            self._client.append_block(piece, appendpos_condition=self._length)
        except HttpResponseError as problem:
            if problem.status_code != _PRECONDITION_FAILED:
                raise
            size = self._client.get_blob_properties().size
            if size != self._length + len(piece):
                raise
        self._length += len(piece)
        self.blocks += 1


class BlobContainer:
    """Blobs in a container, with the identity of the process (managed identity, workload identity, `az login`)."""

    def __init__(self, url: str) -> None:
        """The container and path in `url`; nothing is asked of Azure yet."""
        from azure.identity import DefaultAzureCredential
        from azure.storage.blob import ContainerClient

        account, container, path = _split(url)
        self._prefix = f"{path}/" if path else ""
        self._client: Any = ContainerClient(
            account, container, credential=DefaultAzureCredential(), retry_total=0, connection_timeout=10
        )
        self._open: dict[str, _AppendBlob] = {}

    def append(self, name: str, data: bytes) -> None:
        """As an append blob; a new one is begun when the service's limit of blocks comes near."""
        blob = self._open.get(name)
        if blob is None or blob.blocks >= _MOST_BLOCKS:
            part = blob.part + 1 if blob else 0
            stem, dot, ending = name.rpartition(".")
            full = f"{self._prefix}{stem}{f'-{part}' if part else ''}{dot}{ending}"
            blob = _AppendBlob(self._client.get_blob_client(full), part)
            self._retried(blob.create)
            if len(self._open) > _MOST_OPEN:
                self._open.pop(next(iter(self._open)))
            self._open[name] = blob
        for start in range(0, len(data), _BLOCK):
            piece = data[start : start + _BLOCK]
            try:
                self._retried(partial(blob.append, piece))
            except OSError:
                # It may end in half a line now, or with what nobody confirmed: nothing comes after that.
                blob.blocks = _MOST_BLOCKS
                raise

    def put(self, name: str, data: bytes) -> None:
        """As a block blob."""
        self._retried(
            lambda: self._client.upload_blob(f"{self._prefix}{name}", data, overwrite=True, max_concurrency=1)
        )

    def _retried(self, action: Callable[[], object]) -> None:
        for attempt in range(1, _TRIES + 1):
            problem = _attempt(action)
            if problem is None:
                return
            if not problem.passing or attempt == _TRIES:
                raise OSError(problem.text)
            time.sleep(0.25 * 2**attempt)


@dataclass(frozen=True)
class _Problem:
    """Why a call to Azure failed, and whether it may work when made again."""

    text: str
    passing: bool


def _attempt(action: Callable[[], object]) -> _Problem | None:
    from azure.core.exceptions import AzureError, ClientAuthenticationError, HttpResponseError

    try:
        action()
    except ClientAuthenticationError as error:
        return _Problem(f"no access: {error.message}", passing=False)
    except HttpResponseError as error:
        status = error.status_code or 0
        return _Problem(f"{status} {error.reason}", passing=status >= 500 or status == 429)
    except AzureError as error:
        return _Problem(f"{type(error).__name__} in {_TRIES} attempts", passing=True)
    return None


def _split(url: str) -> tuple[str, str, str]:
    """Account's address, container and path of a container's URL; emulators have the account in the path."""
    scheme, _, rest = url.partition("://")
    host, *parts = rest.rstrip("/").split("/")
    emulator = host.partition(":")[0].replace(".", "").isdigit() and len(parts) > 1
    account = "/".join([host, *parts[:1]]) if emulator else host
    parts = parts[1:] if emulator else parts
    return f"{scheme}://{account}", parts[0], "/".join(parts[1:])


def open_store(destination: str) -> Store:
    """The store at a destination."""
    return BlobContainer(destination) if destination.startswith("https://") else Folder(destination)
