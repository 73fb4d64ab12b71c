"""The error that the SDK understands; apart from the others, as gRPC takes longer to load than most commands to run."""

from __future__ import annotations

import grpc


class MonitorError(grpc.RpcError):
    """What the resource monitor answers to the SDK, which expects a gRPC error with a code and details."""

    def __init__(self, code: grpc.StatusCode, details: str) -> None:
        super().__init__(details)
        self._code = code
        self._details = details

    def code(self) -> grpc.StatusCode:
        """The status the SDK branches on; UNAVAILABLE means that the engine is shutting down."""
        return self._code

    def details(self) -> str:
        """The text the SDK shows."""
        return self._details
