"""Answers that come in pieces: what a script's generator yields goes to the client as it comes.

A stream takes the script's thread only while it makes a piece, and it makes the next one only when the client has
taken the last. Between two pieces other requests get their turn.
"""

from __future__ import annotations

import contextvars
import json
from collections.abc import Callable, Iterator
from typing import Any

SERVER_SENT_EVENTS = "text/event-stream"
JSON_LINES = "application/x-ndjson"
COLLECTED = 1024 * 1024
"""Bytes of a stream that data collection keeps."""
_BROKEN_EVENT = 'event: error\ndata: {"message": "%s"}\n\n'
_dumps = json.JSONEncoder().encode


class Stream:
    """The pieces of one answer. `advance` and `close` run code of the script: only in the thread of its slot."""

    def __init__(
        self,
        pieces: Iterator[object],
        encode: Callable[[Any], bytes],
        close: Callable[[], object] | None = None,
        broken: str = "",
    ) -> None:
        """A stream that has not begun.

        Args:
            pieces: what the script made.
            encode: makes bytes of a piece.
            close: to be called at the end, whatever the end is; default: the iterator's own.
            broken: what the client is sent when the script fails; `%s` stands for the reason.
        """
        self.slot: Any = None
        self.waiting = False
        """Whether the next piece is being made or is in line for it."""
        self.cancelled = False
        self.over = False
        self.size = 0
        self.collected: bytearray | None = None
        self.truncated = False
        self._pieces = pieces
        self._encode = encode
        self._close = close or getattr(pieces, "close", None)
        self._broken = broken
        # What the script sets in context variables is its own, also between pieces.
        self._context = contextvars.copy_context()

    def advance(self) -> bytes | None:
        """The next piece that is not empty, or None at the end.

        Raises:
            BaseException: whatever the script raises.
        """
        return self._context.run(self._advance)

    def _advance(self) -> bytes | None:
        for piece in self._pieces:
            data = self._encode(piece)
            if data:
                return data
        self._end()
        return None

    def whole(self) -> bytes:
        """All pieces in one, for callers that wait for the end anyway.

        Raises:
            BaseException: whatever the script raises.
        """
        pieces: list[bytes] = []
        while (piece := self.advance()) is not None:
            pieces.append(piece)
        return b"".join(pieces)

    def close(self) -> None:
        """Let the script clean up: nobody takes the pieces any more.

        Raises:
            BaseException: whatever the script raises.
        """
        self._context.run(self._end)

    def _end(self) -> None:
        close, self._close = self._close, None
        if close is not None:
            close()

    def broken(self, reason: str) -> bytes:
        """The last words to a client whose stream breaks off."""
        return (self._broken % reason).encode() if self._broken else b""

    def sent(self, data: bytes) -> None:
        """A piece is on its way to the client."""
        self.size += len(data)
        kept = self.collected
        if kept is not None:
            room = COLLECTED - len(kept)
            kept += data[:room]
            self.truncated = self.truncated or len(data) > room


def of_values(values: Iterator[object], accept: str) -> tuple[Stream, list[tuple[str, str]]]:
    """What a `run()` yields, as server-sent events if the client accepts them, else as JSON lines; and the headers."""
    events = accepts_events(accept)
    kind = f"{SERVER_SENT_EVENTS}; charset=utf-8" if events else JSON_LINES
    headers = [("Content-Type", kind), ("Cache-Control", "no-cache"), ("X-Accel-Buffering", "no")]
    return Stream(values, _event if events else _line, broken=_BROKEN_EVENT if events else ""), headers


def _event(value: object) -> bytes:
    return f"data: {_dumps(value)}\n\n".encode()


def _line(value: object) -> bytes:
    return f"{_dumps(value)}\n".encode()


def accepts_events(accept: str) -> bool:
    """Whether an `Accept` header asks for server-sent events by name."""
    for given in accept.lower().split(","):
        kind, *parameters = (part.strip() for part in given.split(";"))
        if kind == SERVER_SENT_EVENTS:
            return not any(p.replace(" ", "").strip("0.") == "q=" for p in parameters)
    return False
