"""What an operation needs to know of a deployed service, whatever its target."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any, Literal, Protocol


class OperationError(Exception):
    """An operation could not be carried out; the message says what and what to do. Exit code 1."""


class State(StrEnum):
    """The state of a service, with the same meaning on every target."""

    HEALTHY = "healthy"
    """It answers, and its replicas are ready."""
    UNHEALTHY = "unhealthy"
    """It is there and does not answer as it should."""
    STARTING = "starting"
    """Its replicas are not ready yet."""
    STOPPED = "stopped"
    """It is deployed and nothing of it runs."""
    MISSING = "missing"
    """The manifest lists it and the state does not."""


@dataclass(frozen=True)
class ServiceStatus:
    """One row of `mldeploy status`. ``models`` maps each served model's name to its version."""

    service: str
    target: str
    state: State
    models: dict[str, str]
    scoring_uri: str | None
    swagger_uri: str | None
    detail: str = ""
    """What a target knows besides, such as how many devices run the service."""

    def to_json(self) -> dict[str, Any]:
        """The row as `mldeploy status --json` prints it."""
        return asdict(self)


@dataclass(frozen=True)
class Finding:
    """One thing that `mldeploy doctor` looked at."""

    level: Literal["ok", "note", "problem"]
    """`ok`; `note`: something will not work that this stack does not need; `problem`: it needs it."""
    what: str
    found: str
    fix: str = ""

    def to_json(self) -> dict[str, Any]:
        """As plain data."""
        return asdict(self)


@dataclass(frozen=True, repr=False)
class Keys:
    """A service's keys. No repr, so that they reach no log or traceback by accident."""

    primary: str
    secondary: str


@dataclass(frozen=True)
class Answer:
    """What a service answered: status code, media type, body."""

    status: int
    content_type: str
    body: bytes


class ServiceHandle(Protocol):
    """A deployed service. ``target`` is the kind of target until the manifest's name for it is known."""

    @property
    def name(self) -> str: ...

    @property
    def kind(self) -> str: ...

    def status(self, target: str) -> ServiceStatus:
        """What it is doing now."""
        ...

    def logs(self, *, lines: int, follow: bool) -> Iterator[str]:
        """The last ``lines`` lines of its replicas' log, then new ones while ``follow``."""
        ...

    def keys(self) -> Keys | None:
        """Its keys, or None when auth is off."""
        ...

    def score(self, body: bytes, content_type: str, timeout: float) -> Answer:
        """POST ``body`` to the scoring URI, with the primary key when auth is on.

        Raises:
            OperationError: it cannot be reached.
        """
        ...
