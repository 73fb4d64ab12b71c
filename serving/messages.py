"""Requests and responses as the server sees them."""

from __future__ import annotations

import json
import time
from email.utils import formatdate
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from serving import __version__

if TYPE_CHECKING:
    from serving.connection import Connection

SERVER_VERSION = f"mldeploy-serving/{__version__}"
_PHRASES = {status.value: status.phrase for status in HTTPStatus}
JSON_TYPE = "application/json"


class Request:
    """One request. `headers` maps lower-case names to values; repeated headers are joined with a comma."""

    __slots__ = (
        "accepted", "api_path", "arrived", "body", "client_request_id", "connection", "early", "finished",
        "headers", "keep_alive", "legacy_request_id", "log_path", "method", "peer", "private", "query",
        "repeated", "request_id",
        "run_ms", "scheme", "started", "target", "trace_id", "version",
    )  # fmt: skip

    def __init__(
        self, connection: Connection | None, method: str, target: bytes, headers: dict[bytes, bytes]
    ) -> None:
        self.connection = connection
        self.method = method
        self.target = target
        self.headers = headers
        self.body = b""
        self.repeated: set[bytes] = set()
        self.version = "1.1"
        self.keep_alive = True
        self.private = False
        self.scheme = "http"
        self.peer = ""
        self.api_path = ""
        self.log_path = ""
        self.query = b""
        self.arrived = 0.0
        self.started = 0.0
        self.run_ms = 0.0
        self.finished = False
        self.accepted = False
        self.early: Response | None = None
        self.request_id = ""
        self.client_request_id = ""
        self.legacy_request_id = ""
        self.trace_id = ""

    def header(self, name: bytes) -> str:
        """A header's value, or an empty string."""
        value = self.headers.get(name)
        return value.decode("latin-1") if value else ""


class Response:
    """One response. `headers` are sent as they are, after `content-length`."""

    __slots__ = ("body", "close", "headers", "status")

    def __init__(
        self, status: int, body: bytes, headers: list[tuple[str, str]], *, close: bool = False
    ) -> None:
        self.status = status
        self.body = body
        self.headers = headers
        self.close = close


def json_response(status: int, value: Any, *extra: tuple[str, str], failed: bool = False) -> Response:
    """A JSON body as Python's `json` writes it, which is what v1's clients saw.

    Raises:
        TypeError, ValueError: `value` is no JSON.
    """
    body = json.dumps(value).encode()
    return Response(
        status, body, [("Content-Type", JSON_TYPE), ("x-ms-run-function-failed", str(failed)), *extra]
    )


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


def encode(response: Response, *, keep_alive: bool, head: bool, http10: bool) -> bytes:
    """The bytes to send.

    Raises:
        ValueError: a header with a line break, a NUL or a character that is not Latin-1.
    """
    status = response.status
    lines = [f"HTTP/1.1 {status} {_PHRASES.get(status, 'Unknown')}"]
    if status >= 200 and status != 204:
        lines.append(f"Content-Length: {len(response.body)}")
    lines += [f"{name}: {value}" for name, value in response.headers]
    if not keep_alive:
        lines.append("Connection: close")
    elif http10:
        lines.append("Connection: keep-alive")
    lines.append(_fixed())
    text = "\r\n".join(lines)
    # The last line holds four line breaks of its own; any other one came with a header's value.
    breaks = len(lines) + 2
    if text.count("\n") != breaks or text.count("\r") != breaks or "\0" in text:
        raise ValueError("a response header has a line break or NUL in it")
    head_bytes = text.encode("latin-1")
    if head or status in (204, 304):
        return head_bytes
    return head_bytes + response.body
