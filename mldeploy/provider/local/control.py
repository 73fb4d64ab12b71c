"""The control sockets of replicas and listeners: one JSON line in, one out, file descriptors beside."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Any

_LONGEST_REPLY = 1 << 20


class ControlError(Exception):
    """The process does not answer, or says that it cannot."""


def call(
    path: Path, request: Mapping[str, Any], *, timeout: float = 10.0, send: int | None = None
) -> dict[str, Any]:
    """Send a request, with a file descriptor when ``send`` is given, and return the reply.

    Args:
        path: the UNIX socket.
        request: ``{"cmd": …}``.
        timeout: seconds for each step.
        send: a file descriptor to pass along; it stays open here.

    Raises:
        ControlError: nobody answers, or the answer is ``{"ok": false, "error": …}``.
    """
    reply, received = _call(path, request, timeout, send)
    for descriptor in received:
        os.close(descriptor)
    return reply


def take(path: Path, request: Mapping[str, Any], *, timeout: float = 10.0) -> int:
    """Send a request whose reply carries a file descriptor, and return it; the caller closes it.

    Raises:
        ControlError: nobody answers, or no descriptor came.
    """
    _reply, received = _call(path, request, timeout, None)
    if not received:
        raise ControlError("the answer carries no socket")
    for surplus in received[1:]:
        os.close(surplus)
    return received[0]


def _call(
    path: Path, request: Mapping[str, Any], timeout: float, send: int | None
) -> tuple[dict[str, Any], list[int]]:
    received: list[int] = []
    data = b""
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
            client.settimeout(timeout)
            client.connect(str(path))
            line = json.dumps(dict(request)).encode() + b"\n"
            if send is None:
                client.sendall(line)
            else:
                socket.send_fds(client, [line], [send])
            while not data.endswith(b"\n") and len(data) < _LONGEST_REPLY:
                chunk, descriptors, _flags, _address = socket.recv_fds(client, 65536, 4)
                received += descriptors
                if not chunk:
                    break
                data += chunk
        reply: Any = json.loads(data)
    except (OSError, ValueError) as error:
        for descriptor in received:
            os.close(descriptor)
        reason = (
            "no answer in time" if isinstance(error, TimeoutError) else str(error) or type(error).__name__
        )
        raise ControlError(f"{request.get('cmd')}: {reason}") from None
    if not isinstance(reply, dict) or reply.get("ok") is False:  # pyright: ignore[reportUnknownMemberType]
        for descriptor in received:
            os.close(descriptor)
        text = reply.get("error") if isinstance(reply, dict) else reply  # pyright: ignore
        raise ControlError(f"{request.get('cmd')}: {text}")
    return reply, received  # pyright: ignore[reportUnknownVariableType]
