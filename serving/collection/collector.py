"""The collector: a process beside the workers that writes what they collect, so that no request waits for a disk."""

from __future__ import annotations

import importlib
import io
import json
import math
import os
import selectors
import signal
import socket
import struct
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from serving import metrics
from serving.collection import records
from serving.collection.frames import Decoder, FrameError
from serving.collection.settings import Settings
from serving.collection.stores import Store, open_store
from serving.logs import Log

_READ = 256 * 1024
_LINES_SECONDS = 1.0
_REMOTE_LINES_SECONDS = 5.0
_TABLE_SECONDS = 60.0
_MOST_BYTES = 8 * 1024 * 1024
_QUIET_SECONDS = 10.0


@dataclass
class Partition:
    """What waits to be written under one name."""

    lines: bytearray = field(default_factory=bytearray)
    count: int = 0


class Writer:
    """Sorts records into partitions and writes them; what cannot be written is counted and told, never kept forever."""

    def __init__(
        self, settings: Settings, store: Store, origin: Mapping[str, Any], row: memoryview[float], log: Log
    ) -> None:
        """`origin`: the names `service`, `models` and `writer` (unique to this process)."""
        self._settings = settings
        self._store = store
        self._origin = origin
        self._row = row
        self._log = log
        self._partitions: dict[str, Partition] = {}
        self._bytes = 0
        self._files = 0
        self._records = 0
        self._told = 0.0

    def add(self, head: dict[str, Any], data: bytes) -> None:
        """One record."""
        self._records += 1
        day, _, clock = head["time"].partition("T")
        name = "/".join([self._origin["service"], head["collection"], *day.split("-"), clock[:2]])
        part = self._partitions.setdefault(name, Partition())
        ident = f"{self._origin['writer']}-{self._records}"
        line = records.line(ident, self._origin["service"], self._origin["models"], head, data)
        part.lines += line
        part.count += 1
        self._bytes += len(line)
        if self._bytes > _MOST_BYTES:
            self.flush()

    @property
    def seconds(self) -> float:
        """How long records may wait."""
        if self._settings.format == "parquet":
            return _TABLE_SECONDS
        return _REMOTE_LINES_SECONDS if self._settings.remote else _LINES_SECONDS

    def flush(self) -> None:
        """Write everything."""
        waiting, self._partitions, self._bytes = self._partitions, {}, 0
        for name, part in waiting.items():
            self._write_or_tell(name, part)

    def _write_or_tell(self, name: str, part: Partition) -> None:
        try:
            self._write(name, part)
        except Exception as problem:
            # Whatever it is: the records that come next may be written all the same.
            self._row[metrics.COLLECT_DROPPED] += part.count
            self._tell(problem, part.count)
        else:
            self._row[metrics.COLLECTED] += part.count

    def _write(self, name: str, part: Partition) -> None:
        if self._settings.format == "parquet":
            self._files += 1
            self._store.put(f"{name}/{self._origin['writer']}-{self._files:06d}.parquet", table(part.lines))
        else:
            self._store.append(f"{name}/{self._origin['writer']}.jsonl", bytes(part.lines))

    def _tell(self, problem: Exception, lost: int) -> None:
        now = time.monotonic()
        if now - self._told > _QUIET_SECONDS or not self._told:
            self._told = now
            self._log.error(
                f"collected data cannot be written to {self._settings.destination}: {problem}", lost=lost
            )


def table(lines: bytes | bytearray) -> bytes:
    """A Parquet file of JSON lines: the records' attributes as columns of text, `data` and `models` as JSON."""
    arrow: Any = importlib.import_module("pyarrow")
    parquet: Any = importlib.import_module("pyarrow.parquet")
    names = (
        "id", "time", "source", "type", "correlationid", "clientrequestid", "status", "models", "datacontenttype",
        "data", "data_base64", "golden", "truncated",
    )  # fmt: skip
    other = {"status": arrow.int32(), "golden": arrow.bool_(), "truncated": arrow.bool_()}
    schema = arrow.schema([(name, other.get(name) or arrow.string()) for name in names])
    rows: list[dict[str, Any]] = [json.loads(line, parse_float=_finite) for line in lines.splitlines()]
    for row in rows:
        row["models"] = records.text(row["models"])
        if "data" in row:
            row["data"] = records.text(row["data"])
    plain = [{name: row.get(name) for name in names} for row in rows]
    out = io.BytesIO()
    parquet.write_table(arrow.Table.from_pylist(plain, schema=schema), out, compression="zstd")
    return out.getvalue()


def _finite(number: str) -> float | str:
    """`1e999` is JSON, but no number that can be written again."""
    value = float(number)
    return value if math.isfinite(value) else number


class Collector:
    """Reads what the workers send and keeps the clock."""

    def __init__(self, listener: socket.socket, writer: Writer, log: Log) -> None:
        self._selector = selectors.DefaultSelector()
        self._listener = listener
        self._writer = writer
        self._log = log
        self._stopping = False
        listener.setblocking(False)
        self._selector.register(listener, selectors.EVENT_READ, None)
        self._wake = os.pipe()
        self._selector.register(self._wake[0], selectors.EVENT_READ, None)

    def stop(self, *_signal: object) -> None:
        """Take what has been sent, write it, end."""
        self._stopping = True
        os.write(self._wake[1], b"\0")

    def run(self) -> None:
        """Until stopped."""
        due = time.monotonic() + self._writer.seconds
        while True:
            timeout = 0.0 if self._stopping else max(0.0, due - time.monotonic())
            ready = self._selector.select(timeout)
            for key, _events in ready:
                if key.fileobj is self._listener:
                    self._accept()
                elif key.data is not None:
                    self._take(key.fileobj, key.data)
                else:
                    os.read(self._wake[0], 4096)
            if self._stopping and not ready:
                self._writer.flush()
                self._log.flush()
                return
            if time.monotonic() >= due:
                self._writer.flush()
                self._log.flush()
                due = time.monotonic() + self._writer.seconds

    def _accept(self) -> None:
        try:
            sock, _ = self._listener.accept()
        except OSError:
            return
        size = struct.calcsize("3i")
        _, uid, _ = struct.unpack("3i", sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size))
        if uid != os.getuid():
            # Anybody on the machine can find the socket; only this replica's workers may use it.
            sock.close()
            return
        sock.setblocking(False)
        self._selector.register(sock, selectors.EVENT_READ, Decoder())

    def _take(self, sock: Any, decoder: Decoder) -> None:
        try:
            data = sock.recv(_READ)
            found = decoder.feed(data)
        except BlockingIOError:
            return
        except (OSError, FrameError, ValueError) as problem:
            self._log.error(f"a worker's collected data cannot be read: {problem}")
            data, found = b"", []
        for head, body in found:
            self._writer.add(head, body)
        if not data:
            self._selector.unregister(sock)
            sock.close()


def main(
    settings: Settings, listener: socket.socket, origin: Mapping[str, Any], row: memoryview[float], log: Log
) -> None:
    """The process's life, in a process just forked, with SIGTERM blocked until it can be handled."""
    if settings.format == "parquet":
        importlib.import_module("pyarrow.parquet")
    writer = Writer(settings, open_store(settings.destination), origin, row, log)
    collector = Collector(listener, writer, log)
    signal.signal(signal.SIGTERM, collector.stop)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
    collector.run()
