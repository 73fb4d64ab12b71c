"""Uploading files to a blob container: parallel blocks, resumable, verified, in little memory."""

from __future__ import annotations

import base64
import hashlib
import io
import os
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import closing
from dataclasses import dataclass
from typing import Any, Final, cast
from urllib.parse import urlsplit

from mldeploy.artifacts.content import Entry, SqliteHashCache, file_hash, open_regular
from mldeploy.home import cache_dir
from mldeploy.provider.azure import arm
from mldeploy.provider.framework import waiting
from mldeploy.provider.framework.resource import Context, ProvisionError

# Few requests matter more than small ones: blocks are read from the disk while they are sent, so their size is not
# memory. Measured in bench/results/azure_upload.json.
BLOCK: Final = 32 << 20
PARALLEL: Final = 8
# Small files are cheap to send whole, from memory; their number is what costs.
_WHOLE: Final = 8 << 20
_CHUNK: Final = 256 << 10
ROLE: Final = "Storage Blob Data Contributor"
_FORBIDDEN: Final = 403
# A container that is being made, or made again: https://learn.microsoft.com/rest/api/storageservices/create-container
_NOT_THERE: Final = frozenset({"ContainerNotFound", "ContainerBeingDeleted"})
_HINTS: Final = {
    "Md5Mismatch": "; a file changed while it was sent, or the network damages data: run the update again",
}


class RefusedError(ProvisionError):
    """The account does not let us, or has no such container: both may be a matter of minutes."""

    def __init__(self, message: str, code: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True)
class Place:
    """A folder of blobs: ``<account_url>/<container>/<prefix>/``."""

    account_url: str
    container: str
    prefix: str


def client(account_url: str, container: str) -> Any:
    """A container client that logs in as :func:`mldeploy.provider.azure.arm.credential` does: never by account key.

    Raises:
        ProvisionError: azure-storage-blob is not installed.
    """
    try:
        from azure.storage.blob import ContainerClient, ExponentialRetry
    except ImportError:
        raise ProvisionError("uploading to Azure needs its packages: pip install 'mldeploy[azure]'") from None
    return ContainerClient(
        _address(account_url),
        container,
        credential=arm.credential(),
        max_block_size=BLOCK,
        max_single_put_size=_WHOLE,
        connection_timeout=20,
        read_timeout=120,
        retry_policy=ExponentialRetry(initial_backoff=1, increment_base=2, retry_total=6),
    )


def _address(account_url: str) -> str:
    """Where the account is asked: at its own address, or at an emulator's or one inside a private network."""
    account = urlsplit(account_url).hostname or account_url
    return os.environ.get("MLDEPLOY_BLOB_ENDPOINT", account_url).replace(
        "{account}", account.split(".", 1)[0]
    )


def upload(ctx: Context, place: Place, entries: Sequence[Entry]) -> None:
    """Make every entry a blob. What is there already with the same size is left alone: the prefix says the content.
    A right that was just given and a container that was just made are waited for.

    Raises:
        ProvisionError: a blob could not be written, or is not what was sent.
    """
    where = f"{place.account_url}/{place.container}"

    def attempt() -> None:
        try:
            _upload(ctx, place, entries)
        except RefusedError as error:
            raise waiting.NotYetError(error.code) from None

    waiting.patiently(
        ctx,
        attempt,
        what=f"the right to write to {where}",
        limit=waiting.ROLE_SECONDS,
        advice=f"who runs this needs the role {ROLE!r} on the storage account",
    )


def _upload(ctx: Context, place: Place, entries: Sequence[Entry]) -> None:
    total, sent = sum(entry.size for entry in entries), 0
    container = client(place.account_url, place.container)

    def progress(count: int) -> None:
        nonlocal sent
        sent += count
        ctx.status(f"uploading {sent >> 20:,} of {total >> 20:,} MB")

    with _told(place), ThreadPoolExecutor(PARALLEL) as pool:
        present = {blob.name: blob.size for blob in container.list_blobs(name_starts_with=f"{place.prefix}/")}
        missing = [entry for entry in entries if present.get(f"{place.prefix}/{entry.name}") != entry.size]
        small = [entry for entry in missing if entry.size <= _WHOLE]
        for _ in _bounded(
            pool, (_task(_send_whole, ctx, container, place, e, progress) for e in small), PARALLEL * 2
        ):
            ctx.check_cancelled()
        for entry in missing:
            if entry.size > _WHOLE:
                _send_blocks(
                    ctx, pool, container.get_blob_client(f"{place.prefix}/{entry.name}"), entry, progress
                )


def missing(place: Place, expected: dict[str, int]) -> list[str]:
    """Names among ``expected`` (name to bytes) that are gone or have another size; all of them without a container.

    Raises:
        ProvisionError: the account cannot be asked.
    """
    from azure.core.exceptions import ResourceNotFoundError

    with _told(place):
        try:
            listed = client(place.account_url, place.container).list_blobs(
                name_starts_with=f"{place.prefix}/"
            )
            present = {blob.name.removeprefix(f"{place.prefix}/"): blob.size for blob in listed}
        except ResourceNotFoundError:
            present = {}
    return sorted(name for name, size in expected.items() if present.get(name) != size)


def remove(ctx: Context, place: Place) -> None:
    """Delete everything under the prefix; nothing there is no error.

    Raises:
        ProvisionError: refused.
    """
    from azure.core.exceptions import ResourceNotFoundError

    with _told(place):
        container = client(place.account_url, place.container)
        try:
            for blob in container.list_blobs(name_starts_with=f"{place.prefix}/"):
                ctx.check_cancelled()
                container.delete_blob(blob.name, delete_snapshots="include")
        except ResourceNotFoundError:
            return


def _send_whole(
    ctx: Context, container: Any, place: Place, entry: Entry, progress: Callable[[int], None]
) -> None:
    from azure.core.exceptions import ResourceExistsError
    from azure.storage.blob import ContentSettings

    ctx.check_cancelled()
    with open_regular(entry.path) as file:
        data = file.read()
    if len(data) != entry.size:
        raise ProvisionError(f"{entry.path} changed while it was uploaded: run the update again")
    digest = hashlib.md5(data, usedforsecurity=False).digest()
    settings = ContentSettings(content_md5=bytearray(digest))
    blob = container.get_blob_client(f"{place.prefix}/{entry.name}")
    try:
        # The service compares the checksum of what arrived; the condition leaves an equal blob alone.
        blob.upload_blob(
            data, length=entry.size, content_settings=settings, validate_content=True, overwrite=False
        )
    except ResourceExistsError:
        found = blob.get_blob_properties()
        if found.size != entry.size or bytes(found.content_settings.content_md5 or b"") != digest:
            blob.upload_blob(data, content_settings=settings, validate_content=True, overwrite=True)
    progress(entry.size)


class Part(io.RawIOBase):
    """The bytes ``start`` to ``start + length`` of an open file, to be sent as a request's body.

    Threads may read parts of one file at the same time. A file that is cut off meanwhile ends a part early.
    """

    def __init__(self, descriptor: int, start: int, length: int) -> None:
        super().__init__()
        self._descriptor, self._start, self._length, self._at = descriptor, start, length, 0

    def __len__(self) -> int:
        return self._length

    def readable(self) -> bool:
        """Always."""
        return True

    def seekable(self) -> bool:
        """Always: a repeated request begins again."""
        return True

    def tell(self) -> int:
        """The position, from the part's own start."""
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go to a position."""
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._length}[whence]
        self._at = max(0, base + offset)
        return self._at

    def read(self, size: int = -1, /) -> bytes:
        """The next bytes. HTTP clients ask for 16 kB at a time, and take what they get: more at once costs less."""
        left = self._length - self._at
        data = os.pread(
            self._descriptor, min(left, max(size, _CHUNK)) if size >= 0 else left, self._start + self._at
        )
        self._at += len(data)
        return data

    def checksum(self) -> tuple[bytes, int]:
        """The MD5 of the bytes, and how many there are; the position is back at the start afterwards."""
        digest, count = hashlib.md5(usedforsecurity=False), 0
        while data := self.read(_CHUNK):
            digest.update(data)
            count += len(data)
        self.seek(0)
        return digest.digest(), count


def block_id(number: int, digest: bytes) -> str:
    """A block's id, which follows from its place and its content's MD5."""
    return base64.b64encode(f"{number:06d}{digest.hex()[:26]}".encode()).decode()


def _send_blocks(
    ctx: Context, pool: ThreadPoolExecutor, blob: Any, entry: Entry, progress: Callable[[int], None]
) -> None:
    """A block's id is its content, so that blocks of an interrupted upload are found again and not sent twice."""
    known = _staged(blob)
    changed = f"{entry.path} changed while it was uploaded: run the update again"

    def stage(number: int, part: Part) -> str:
        digest, count = part.checksum()
        if count != len(part):
            raise ProvisionError(changed)
        name = block_id(number, digest)
        if known.get(name) != count:
            # The service compares the checksum of what arrives with the header.
            checksum = base64.b64encode(digest).decode()
            blob.stage_block(name, part, length=count, headers={"Content-MD5": checksum})
        progress(count)
        return name

    order: list[str] = []
    with open_regular(entry.path) as file:
        if os.fstat(file.fileno()).st_size != entry.size:
            raise ProvisionError(changed)
        tasks = (
            _task(stage, number, Part(file.fileno(), start, min(BLOCK, entry.size - start)))
            for number, start in enumerate(range(0, entry.size, BLOCK))
        )
        # Closed before the file is: nobody reads from it any more, whatever went wrong.
        with closing(_bounded(pool, tasks, PARALLEL)) as names:
            for name in names:
                ctx.check_cancelled()
                order.append(name)
    # The hash was computed when the update was planned; remembered, it costs nothing here.
    cache = SqliteHashCache(cache_dir() / "hashes.sqlite")
    blob.commit_block_list(
        _blocks(sorted(order, key=lambda name: base64.b64decode(name)[:6])),
        metadata={"sha256": file_hash(entry.path, cache)},
    )
    found = blob.get_blob_properties()
    if found.size != entry.size:
        raise ProvisionError(f"{blob.url} has {found.size} bytes, not {entry.size}: run the update again")


def _staged(blob: Any) -> dict[str, int]:
    from azure.core.exceptions import ResourceNotFoundError

    try:
        _, uncommitted = blob.get_block_list("all")
    except ResourceNotFoundError:
        return {}
    return {str(block.id): int(block.size) for block in uncommitted}


def _blocks(names: Sequence[str]) -> list[Any]:
    from azure.storage.blob import BlobBlock

    return [BlobBlock(block_id=name) for name in names]


def _task(function: Callable[..., Any], *arguments: Any) -> Callable[[], Any]:
    return lambda: function(*arguments)


def _bounded(
    pool: ThreadPoolExecutor, tasks: Iterator[Callable[[], Any]], most: int
) -> Generator[Any, None, None]:
    """Results as they come, with at most ``most`` tasks under way: that bounds the memory. None runs after its end."""
    running: set[Future[Any]] = set()
    try:
        for task in tasks:
            running.add(pool.submit(task))
            if len(running) >= most:
                done, running = wait(running, return_when=FIRST_COMPLETED)
                yield from [future.result() for future in done]
        for future in running:
            yield future.result()
    finally:
        for future in running:
            future.cancel()
        wait(running)


class _told:  # noqa: N801 -- reads as a verb where it is used
    """Turns the SDK's exceptions into ours: what failed, where, and what to do."""

    def __init__(self, place: Place) -> None:
        self._place = place

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        if error is None or isinstance(error, ProvisionError):
            return
        try:
            from azure.core.exceptions import AzureError
        except ImportError:
            return
        if isinstance(error, AzureError):
            where = f"{self._place.account_url}/{self._place.container}"
            first = (str(error) or type(error).__name__).splitlines()[0]
            code = cast("Any", error).__dict__.get("error_code")
            code = str(getattr(code, "value", code) or type(error).__name__)
            if getattr(error, "status_code", None) == _FORBIDDEN or code in _NOT_THERE:
                needed = f"; who runs this needs the role {ROLE!r} on the storage account"
                raise RefusedError(f"{where}: {code}: {first}{needed}", code) from None
            raise ProvisionError(f"{where}: {code}: {first}{_HINTS.get(code, '')}") from None
