"""Records on their way from a worker to the collector: two lengths, a JSON head, the data as it came."""

from __future__ import annotations

import json
import struct
from typing import Any

_LENGTHS = struct.Struct("!II")
LARGEST = 16 * 1024 * 1024
"""Longer records are not collected."""


class FrameError(Exception):
    """What came is no record."""


def encode(head: str, data: bytes) -> bytes:
    """One record: `head` is a JSON object."""
    start = head.encode()
    return _LENGTHS.pack(len(start), len(data)) + start + data


class Decoder:
    """Puts records together from what a socket gives."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, chunk: bytes) -> list[tuple[dict[str, Any], bytes]]:
        """The records that are complete now.

        Raises:
            FrameError: the stream is not one of records.
        """
        buffer = self._buffer
        buffer += chunk
        found: list[tuple[dict[str, Any], bytes]] = []
        start = 0
        while len(buffer) - start >= _LENGTHS.size:
            head, data = _LENGTHS.unpack_from(buffer, start)
            if head > LARGEST or data > LARGEST:
                raise FrameError(f"a record of {head} and {data} bytes")
            middle = start + _LENGTHS.size + head
            if len(buffer) < middle + data:
                break
            found.append(
                (json.loads(buffer[start + _LENGTHS.size : middle]), bytes(buffer[middle : middle + data]))
            )
            start = middle + data
        del buffer[:start]
        return found
