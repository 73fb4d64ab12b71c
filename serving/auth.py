"""Bearer keys: two of them, read from a file that may change at any time, compared in constant time."""

from __future__ import annotations

import hmac
import json
import os
import time
from pathlib import Path
from typing import cast

from serving.logs import Log
from serving.messages import Request

_PROXY_HEADER = b"x-mldeploy-key"
_CHECK_SECONDS = 0.05


class KeysError(Exception):
    """The keys file cannot be used. The message never holds a key."""


def read_keys(path: str) -> tuple[bytes, ...]:
    """The keys in the file, at least one.

    Raises:
        KeysError: no such file, not `{"primary": …, "secondary": …}`, or no key that is not empty.
    """
    try:
        content: object = json.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as problem:
        raise KeysError(f"{path}: {problem.strerror}") from problem
    except ValueError:
        raise KeysError(f'{path}: not JSON; expected {{"primary": …, "secondary": …}}') from None
    if not isinstance(content, dict):
        raise KeysError(f'{path}: expected {{"primary": …, "secondary": …}}')
    values = [cast("dict[str, object]", content).get(name) for name in ("primary", "secondary")]
    keys = tuple(value.encode() for value in values if isinstance(value, str) and value.strip())
    if not keys:
        raise KeysError(f"{path}: neither primary nor secondary has a key")
    return keys


class Keys:
    """The current keys. A file that becomes unreadable leaves the last good keys in force."""

    def __init__(self, path: str, log: Log) -> None:
        self._path = path
        self._log = log
        self._stamp = self._read_stamp()
        self._keys = read_keys(path)
        self._next_check = 0.0

    def _read_stamp(self) -> tuple[int, int, int] | None:
        try:
            found = os.stat(self._path)  # noqa: PTH116 (this runs with every request)
        except OSError:
            return None
        return found.st_mtime_ns, found.st_size, found.st_ino

    def _refresh(self) -> None:
        now = time.monotonic()
        if now < self._next_check:
            return
        self._next_check = now + _CHECK_SECONDS
        stamp = self._read_stamp()
        if stamp == self._stamp:
            return
        self._stamp = stamp
        try:
            self._keys = read_keys(self._path)
        except KeysError as problem:
            self._log.error(
                f"the keys file changed and cannot be used; the keys before it stay in force: {problem}"
            )
        else:
            self._log.info("the keys were read again")

    def allow(self, request: Request) -> bool:
        """Whether the request carries one of the keys, in exactly one `Authorization: Bearer <key>`."""
        self._refresh()
        value = request.headers.get(b"authorization", b"")
        if b"authorization" in request.repeated or _PROXY_HEADER in request.repeated:
            return False
        if not value and _PROXY_HEADER in request.headers:
            # The Kubernetes API server's proxy removes `Authorization`; there the key comes here.
            value = b"Bearer " + request.headers[_PROXY_HEADER]
        scheme, _, key = value.partition(b" ")
        if scheme.lower() != b"bearer":
            return False
        key = key.strip(b" ")
        matches = [hmac.compare_digest(key, known) for known in self._keys]
        return any(matches)
