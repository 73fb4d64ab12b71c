"""What a service answered through the API server's proxy."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Reply:
    """An answer that came through the API server's proxy. ``seconds`` is the whole exchange, ``first_seconds`` that
    until the first byte of the body."""

    status: int
    content_type: str
    body: bytes
    seconds: float
    first_seconds: float = 0.0

    @property
    def text(self) -> str:
        """The body for a message: at most 2000 characters."""
        return self.body.decode(errors="replace")[:2000]


def read(response: Any, started: float) -> Reply:
    """Read a urllib3 response that was asked for without its content.

    Args:
        response: the response.
        started: when the request was sent, on the monotonic clock.

    Raises:
        urllib3.exceptions.HTTPError: the connection was lost.
    """
    body = bytes(response.data) if response.status >= 400 else bytes(response.read(1))
    first = time.monotonic() - started
    if response.status < 400:
        body += response.read()
    kind = str(response.headers.get("content-type", ""))
    return Reply(response.status, kind, body, time.monotonic() - started, first)
