"""Compressed request bodies: decoded while they arrive, so that no bomb is ever larger than the body limit."""

from __future__ import annotations

import zlib
from typing import Any

ACCEPTED = "gzip, deflate"
"""For `Accept-Encoding` of a refusal."""
_GZIP_OR_ZLIB = zlib.MAX_WBITS | 32
_RAW = -zlib.MAX_WBITS
_CODINGS = ("gzip", "x-gzip", "deflate")


class CodingError(Exception):
    """The body is not what its Content-Encoding says."""


class TooLargeError(Exception):
    """The decoded body is over the limit."""


def supported(value: str) -> bool:
    """Whether a `Content-Encoding` is one that can be decoded."""
    return value.strip().lower() in _CODINGS


class Decoder:
    """Of one body, in one of `ACCEPTED`."""

    def __init__(self) -> None:
        self._stream: Any = None

    def feed(self, data: bytes, room: int) -> bytes:
        """Decode what came; at most `room` bytes may come out.

        Raises:
            CodingError: it cannot be decoded.
            TooLargeError: it decodes to more than `room` bytes.
        """
        parts: list[bytes] = []
        while data:
            if self._stream is None or self._stream.eof:
                # Also the next member of a gzip file; "deflate" without zlib's header is common enough.
                zlib_or_gzip = data[0] & 0x0F == zlib.DEFLATED or data[0] == 0x1F
                self._stream = zlib.decompressobj(_GZIP_OR_ZLIB if zlib_or_gzip else _RAW)
            try:
                part: bytes = self._stream.decompress(data, room + 1)
            except zlib.error as problem:
                raise CodingError(str(problem)) from None
            room -= len(part)
            if room < 0:
                raise TooLargeError
            parts.append(part)
            data = self._stream.unused_data
        return b"".join(parts)

    def finish(self) -> None:
        """The body is complete.

        Raises:
            CodingError: the compressed data is not.
        """
        if self._stream is None or not self._stream.eof:
            raise CodingError("it ends too early")
