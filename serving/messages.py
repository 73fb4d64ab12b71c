"""Requests and responses as the server sees them."""

from __future__ import annotations

import json
import time
from collections.abc import Set as AbstractSet
from email.utils import formatdate
from http import HTTPStatus
from typing import Any, Protocol

from serving import __version__
from serving.streaming import Stream

SERVER_VERSION = f"mldeploy-serving/{__version__}"
_PHRASES = {status.value: status.phrase for status in HTTPStatus}
JSON_TYPE = "application/json"


class Replier(Protocol):
    """Who takes an answer to the client (`serving.connection.Connection`)."""

    @property
    def neighbours(self) -> int:
        """How many connections are open in this process."""
        ...

    def respond(self, request: Request, response: Response) -> None:
        """Send the answer to `request`, or the beginning of one that has a stream."""
        ...

    def piece(self, request: Request, piece: Piece) -> None:
        """Send the next piece of an answer that has begun."""
        ...


class Request:
    """One request. `headers` maps lower-case names to values; repeated headers are joined with a comma."""

    # Defaults of the class: most requests never get another value, and are made faster without.
    body = b""
    repeated: AbstractSet[bytes] = frozenset()
    version = "1.1"
    keep_alive = True
    private = False
    scheme = "http"
    peer = ""
    api_path = ""
    log_path = ""
    query = b""
    arrived = 0.0
    run_ms = 0.0
    finished = False
    accepted = False
    early: Response | None = None
    stream: Stream | None = None
    held = 0
    request_id = ""
    client_request_id = ""
    legacy_request_id = ""
    trace_id = ""
    spans: tuple[Any, Any] | None = None

    def __init__(
        self, connection: Replier | None, method: str, target: bytes, headers: dict[bytes, bytes]
    ) -> None:
        self.connection = connection
        self.method = method
        self.target = target
        self.headers = headers

    def header(self, name: bytes) -> str:
        """A header's value, or an empty string."""
        value = self.headers.get(name)
        return value.decode("latin-1") if value else ""


class Response:
    """One response. `head` holds the server's own header lines, each with its line break; `headers` are the others."""

    __slots__ = ("body", "close", "head", "headers", "status", "stream")

    def __init__(
        self,
        status: int,
        body: bytes,
        headers: list[tuple[str, str]],
        *,
        head: str = "",
        close: bool = False,
        stream: Stream | None = None,
    ) -> None:
        self.status = status
        self.body = body
        self.headers = headers
        self.head = head
        self.close = close
        self.stream = stream
        """More pieces follow after `body`."""


class Piece:
    """Of an answer with a stream. `failed` is the status to log when the stream breaks off."""

    __slots__ = ("data", "failed", "last")

    def __init__(self, data: bytes, *, last: bool = False, failed: int = 0) -> None:
        self.data = data
        self.last = last or bool(failed)
        self.failed = failed


_JSON_HEAD = f"Content-Type: {JSON_TYPE}\r\nx-ms-run-function-failed: "
_dumps = json.JSONEncoder().encode


def json_response(status: int, value: Any, *extra: tuple[str, str], failed: bool = False) -> Response:
    """A JSON body as Python's `json` writes it, which is what v1's clients saw.

    Raises:
        TypeError, ValueError: `value` is no JSON.
    """
    return Response(status, _dumps(value).encode(), [*extra], head=f"{_JSON_HEAD}{failed}\r\n")


def error(
    status: int, message: str, *extra: tuple[str, str], failed: bool = False, close: bool = False
) -> Response:
    """`{"message": …}`, the body of every error."""
    response = json_response(status, {"message": message}, *extra, failed=failed)
    response.close = close
    return response


def overload(status: int, message: str, seconds: float) -> Response:
    """An error that says when to come back."""
    return error(status, message, ("Retry-After", str(max(1, round(seconds)))))


_date: tuple[int, str] = (0, "")


def _fixed() -> str:
    """The end of every head."""
    global _date  # noqa: PLW0603 (one string a second for all responses)
    second = int(time.time())
    if _date[0] != second:
        _date = (second, f"Date: {formatdate(second, usegmt=True)}\r\nServer: {SERVER_VERSION}\r\n\r\n")
    return _date[1]


_STATUS_LINES = {status: f"HTTP/1.1 {status} {phrase}\r\n" for status, phrase in _PHRASES.items()}


def encode(response: Response, *, keep_alive: bool, head: bool, http10: bool) -> bytes:
    """The bytes to send.

    Raises:
        ValueError: a header with a line break, a NUL or a character that is not Latin-1.
    """
    status = response.status
    body = response.body
    length = f"Content-Length: {len(body)}\r\n" if status != 204 else ""
    head_bytes = _head(response, length, keep_alive=keep_alive, http10=http10)
    if head or status in (204, 304):
        return head_bytes
    return head_bytes + body


def stream_head(response: Response, *, keep_alive: bool, chunked: bool, http10: bool) -> bytes:
    """The head of an answer whose length nobody knows yet.

    Raises:
        ValueError: as `encode`.
    """
    coding = "Transfer-Encoding: chunked\r\n" if chunked else ""
    return _head(response, coding, keep_alive=keep_alive, http10=http10)


def _head(response: Response, framing: str, *, keep_alive: bool, http10: bool) -> bytes:
    status = response.status
    text = _STATUS_LINES.get(status) or f"HTTP/1.1 {status} Unknown\r\n"
    text += framing + response.head
    if response.headers:
        text += _lines(response.headers)
    if not keep_alive:
        text += "Connection: close\r\n"
    elif http10:
        text += "Connection: keep-alive\r\n"
    return (text + _fixed()).encode("latin-1")


def _lines(headers: list[tuple[str, str]]) -> str:
    text = "".join([f"{name}: {value}\r\n" for name, value in headers])
    if text.count("\n") != len(headers) or text.count("\r") != len(headers) or "\0" in text:
        raise ValueError("a response header has a line break or NUL in it")
    return text
