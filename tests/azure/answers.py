"""A request and an answer of the test cloud, as plain values."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Ask:
    """A request. Header names are as they were sent; :meth:`header` finds them without case."""

    method: str
    path: str
    query: dict[str, str]
    body: bytes
    headers: dict[str, str]

    def header(self, name: str) -> str | None:
        """A header's value."""
        return next((value for key, value in self.headers.items() if key.lower() == name.lower()), None)

    @property
    def who(self) -> str:
        """The object id in the token; empty without one."""
        token = (self.header("Authorization") or "").removeprefix("Bearer ")
        try:
            claims = token.split(".")[1]
            found = json.loads(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))
        except (IndexError, ValueError):
            return ""
        return str(found.get("oid", ""))


@dataclass(frozen=True)
class Answer:
    """An answer; underscores in header names stand for hyphens."""

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict[str, str])

    @classmethod
    def json(cls, value: Any, status: int = 200, **headers: str) -> Answer:
        """A JSON document."""
        return cls(status, json.dumps(value).encode(), {"Content_Type": "application/json", **headers})

    @classmethod
    def error(cls, status: int, code: str, message: str, **headers: str) -> Answer:
        """An error as Resource Manager writes it."""
        return cls.json({"error": {"code": code, "message": message}}, status, **headers)
