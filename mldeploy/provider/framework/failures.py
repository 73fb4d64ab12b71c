"""How a call of the protocol fails: with a status, its details, and without the secrets of the request."""

from __future__ import annotations

from typing import Any, cast

import grpc

from mldeploy.engine.base.errors import EngineError
from mldeploy.values.marshal import unmarshal
from mldeploy.values.property_value import Secret, lower_outputs

_SHORTEST_SCRUBBED = 4


class Status(grpc.Status):
    """The end of a call that failed."""

    def __init__(
        self, code: grpc.StatusCode, details: str, metadata: tuple[tuple[str, bytes], ...] = ()
    ) -> None:
        self.code = code
        self.details = details
        self.trailing_metadata = metadata


class ProviderFailure(grpc.RpcError):
    """A failed call, with the accessors that a client of a real plugin sees: ``code()``, ``details()`` and
    ``trailing_metadata()`` (``grpc-status-details-bin`` holds ErrorResourceInitFailed when there is one)."""

    def __init__(self, status: Status) -> None:
        super().__init__(status.details)
        self.status = status

    def code(self) -> grpc.StatusCode:
        """The gRPC status code."""
        return self.status.code

    def details(self) -> str:
        """What went wrong."""
        return self.status.details

    def trailing_metadata(self) -> Any:
        """The metadata that carries details."""
        return self.status.trailing_metadata or ()


def scrub(text: str, properties: Any) -> str:
    """``text`` without any secret string of the request's properties."""
    try:
        values = lower_outputs(unmarshal(properties))
    except EngineError:  # the text is about the message's form then, and says nothing of what is in it
        return text
    for secret in sorted(_secret_strings(values, inside=False), key=len, reverse=True):
        text = text.replace(secret, "[secret]")
    return text


def _secret_strings(value: Any, *, inside: bool) -> set[str]:
    if isinstance(value, Secret):
        return _secret_strings(value.value, inside=True)
    if isinstance(value, dict):
        return set[str]().union(
            *(_secret_strings(v, inside=inside) for v in cast("dict[str, Any]", value).values())
        )
    if isinstance(value, list):
        return set[str]().union(*(_secret_strings(v, inside=inside) for v in cast("list[Any]", value)))
    return {value} if inside and isinstance(value, str) and len(value) >= _SHORTEST_SCRUBBED else set()
