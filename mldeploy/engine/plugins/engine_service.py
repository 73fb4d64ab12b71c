"""The engine's own service (`pulumirpc.Engine`): log messages and small questions of programs and plugins."""

# ruff: noqa: N802 - the methods are named by the protocol

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc

from mldeploy.engine.base.errors import EngineError
from mldeploy.engine.base.events import Events
from mldeploy.engine.base.monitor_error import MonitorError
from mldeploy.engine.base.proto import EMPTY, Message, engine, engine_grpc
from mldeploy.engine.project.project import check_required_version

_SEVERITIES = ("debug", "info", "warning", "error")


class EngineService:
    """Handed to the SDK as an object; plugins reach it over gRPC once one is started."""

    def __init__(self, events: Events) -> None:
        self._events = events
        self._lock = threading.Lock()
        self._server: Any = None
        self._address = ""
        self._root = ""

    def Log(self, request: Message, context: Any = None) -> Message:
        """A message for the user; debug messages are dropped."""
        del context
        severity: str = _SEVERITIES[min(int(request.severity), len(_SEVERITIES) - 1)]
        if severity != "debug":
            self._events.diagnostic(severity, request.message, request.urn, ephemeral=request.ephemeral)
        return EMPTY

    def printed(self, text: str, *, error: bool) -> None:
        """A line that the program printed."""
        self._events.diagnostic("info#err" if error else "info", text, self._root)

    def GetRootResource(self, request: Message, context: Any = None) -> Message:
        """The stack's URN."""
        del request, context
        return engine.GetRootResourceResponse(urn=self._root)

    def SetRootResource(self, request: Message, context: Any = None) -> Message:
        """The program names its stack resource."""
        del context
        self._root = request.urn
        return engine.SetRootResourceResponse()

    def StartDebugging(self, request: Message, context: Any = None) -> Message:
        """Debuggers are not attached."""
        del request, context
        return EMPTY

    def RequirePulumiVersion(self, request: Message, context: Any = None) -> Message:
        """The program wants what the CLI of some versions does."""
        del context
        try:
            check_required_version(request.pulumi_version_range, "the program")
        except EngineError as error:
            raise MonitorError(grpc.StatusCode.FAILED_PRECONDITION, str(error)) from None
        return engine.RequirePulumiVersionResponse()

    @property
    def address(self) -> str:
        """Where plugins reach the service; the server starts when first asked for."""
        with self._lock:
            if self._server is None:
                server = grpc.server(ThreadPoolExecutor(4, "engine-service"))
                engine_grpc.add_EngineServicer_to_server(self, server)
                port = server.add_insecure_port("127.0.0.1:0")
                server.start()
                self._server = server
                self._address = f"127.0.0.1:{port}"
            return self._address

    def close(self) -> None:
        """Stop the server."""
        with self._lock:
            if self._server is not None:
                self._server.stop(None)
                self._server = None
