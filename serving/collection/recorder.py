"""A worker's side of data collection: which requests are kept, and how they get to the collector without waiting."""

from __future__ import annotations

import select
import socket
import threading
import time
import uuid
import zlib
from collections import deque
from json.encoder import encode_basestring_ascii as _quote
from typing import TYPE_CHECKING

from serving import metrics
from serving.collection import frames
from serving.collection.settings import INPUTS, OUTPUTS, Settings
from serving.logs import current, timestamp

if TYPE_CHECKING:
    from serving.messages import Request, Response

_GOLDEN = b"x-mldeploy-golden"
"""What gates send with their golden requests: no client's data."""
_BATCH = 64 * 1024
_MOST_PENDING = 16 * 1024 * 1024
_LAST_SECONDS = 2.0


class Recorder:
    """Sends records; what the collector does not take in time is dropped and counted."""

    def __init__(self, settings: Settings, address: str, counters: metrics.Counters) -> None:
        self.settings = settings
        self._address = address
        self._row = counters.row
        self._limit = int(settings.sampling * 2**32)
        self._inputs = INPUTS in settings.collections
        self._outputs = OUTPUTS in settings.collections
        self._lock = threading.Lock()
        self._batch = bytearray()
        self._batch_records = 0
        self._waiting: deque[tuple[bytes, int]] = deque()
        self._pending = 0
        self._sent = 0
        self._socket: socket.socket | None = None

    def sampled(self, correlation: str) -> bool:
        """Whether what belongs to this id is kept: the same answer for all its records, in every replica."""
        return zlib.crc32(correlation.encode()) < self._limit

    # -- what is kept ----

    def request(self, request: Request, response: Response) -> None:
        """A scoring request was answered."""
        if response.status >= 300 or not self.sampled(request.request_id):
            return
        more = f', "client_request_id": {_quote(request.client_request_id)}, "status": {response.status}'
        if request.headers.get(_GOLDEN) == b"true":
            more += ', "golden": true'
        if response.stream is not None and response.stream.truncated:
            more += ', "truncated": true'
        if self._inputs:
            data, kind = request.body, request.headers.get(b"content-type", b"").decode("latin-1")
            if request.method in ("GET", "HEAD"):
                data, kind = request.query, "application/x-www-form-urlencoded"
            self.add(INPUTS, request.request_id, data, kind, more)
        if self._outputs:
            self.add(OUTPUTS, request.request_id, response.body, _content_type(response), more)

    def custom(self, name: str, data: bytes, correlation: str = "") -> str:
        """What the script itself collects, as JSON; its correlation id."""
        correlation = correlation or current.request_id or str(uuid.uuid4())
        if self.sampled(correlation):
            self.add(name, correlation, data, "application/json")
        return correlation

    def add(self, collection: str, correlation: str, data: bytes, kind: str, more: str = "") -> None:
        """One record."""
        head = (
            f'{{"collection": {_quote(collection)}, "time": "{timestamp(time.time())}", '
            f'"correlation_id": {_quote(correlation)}, "type": {_quote(kind)}{more}}}'
        )
        with self._lock:
            if len(data) > frames.LARGEST or self._pending + len(data) > _MOST_PENDING:
                self._row[metrics.COLLECT_DROPPED] += 1
                return
            frame = frames.encode(head, data)
            self._batch += frame
            self._batch_records += 1
            self._pending += len(frame)
            if len(self._batch) > _BATCH:
                self._flush()

    # -- how it gets there ----

    @property
    def pending(self) -> bool:
        """Whether records wait to be handed over."""
        return self._pending > 0

    def flush(self) -> None:
        """Hand over what waits, as far as the collector takes it."""
        with self._lock:
            self._flush()

    def finish(self) -> None:
        """Hand over what waits before this process ends; large records take the collector a moment."""
        end = time.monotonic() + _LAST_SECONDS
        self.flush()
        while self.pending and self._socket is not None and time.monotonic() < end:
            waiting = select.poll()
            waiting.register(self._socket, select.POLLOUT)
            waiting.poll(100)
            self.flush()

    def _flush(self) -> None:
        if self._batch:
            self._waiting.append((bytes(self._batch), self._batch_records))
            self._batch, self._batch_records = bytearray(), 0
        try:
            self._send()
        except BlockingIOError:
            return
        except OSError:
            # The collector is gone. What was on the way is lost; the rest goes to its successor.
            self._close()
            if self._sent:
                self._drop_first()

    def _send(self) -> None:
        while self._waiting:
            if self._socket is None:
                sock = socket.socket(socket.AF_UNIX)
                sock.setblocking(False)
                sock.connect(self._address)
                self._socket = sock
            first = self._waiting[0][0]
            self._sent += self._socket.send(memoryview(first)[self._sent :])
            if self._sent == len(first):
                self._pending -= len(first)
                self._waiting.popleft()
                self._sent = 0

    def _drop_first(self) -> None:
        data, records = self._waiting.popleft()
        self._pending -= len(data)
        self._row[metrics.COLLECT_DROPPED] += records
        self._sent = 0

    def _close(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None


def _content_type(response: Response) -> str:
    for name, value in response.headers:
        if name.lower() == "content-type":
            return value
    return "application/json"
