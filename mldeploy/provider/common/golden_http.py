"""Sending a golden request over HTTP, and noting when its answer begins."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

import httpx

from mldeploy.provider.common.golden_requests import GoldenRequest


@dataclass(frozen=True)
class Answer:
    """A whole answer. ``first_seconds`` is the time until the first byte of its body."""

    status: int
    content_type: str
    body: bytes
    first_seconds: float

    def text(self, limit: int) -> str:
        """The beginning of the body, for a message."""
        return self.body.decode(errors="replace")[:limit]


def post(client: httpx.Client, path: str, item: GoldenRequest, root: Path) -> Answer:
    """Send the request.

    Raises:
        httpx.HTTPError: there is no answer, or it breaks off.
    """
    body, started = item.body(root), time.monotonic()
    with client.stream("POST", path, content=body, headers=item.headers) as answer:
        first, pieces = 0.0, list[bytes]()
        for piece in answer.iter_bytes():
            first = first or time.monotonic() - started
            pieces.append(piece)
    content_type = answer.headers.get("content-type", "")
    return Answer(answer.status_code, content_type, b"".join(pieces), first)
