"""What every stand-in plugin of the tests does alike: the protocol's housekeeping, a diff's answer, the process."""

from __future__ import annotations

import json
import re
import signal
from collections.abc import Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
from google.protobuf import empty_pb2
from pulumi.runtime.proto import plugin_pb2, provider_pb2, provider_pb2_grpc

_KINDS = {"add": 0, "delete": 2, "update": 4}


class Plugin(provider_pb2_grpc.ResourceProviderServicer):
    """A plugin that takes any configuration. Subclasses set ``name`` and ``version`` and serve the resources."""

    name: str
    version: str

    def GetPluginInfo(self, request: Any, context: Any = None) -> Any:
        return plugin_pb2.PluginInfo(version=self.version)

    def GetSchema(self, request: Any, context: Any = None) -> Any:
        return provider_pb2.GetSchemaResponse(schema=json.dumps({"name": self.name, "version": self.version}))

    def Handshake(self, request: Any, context: Any = None) -> Any:
        return provider_pb2.ProviderHandshakeResponse(accept_secrets=True)

    def Attach(self, request: Any, context: Any = None) -> Any:
        return empty_pb2.Empty()

    def Cancel(self, request: Any, context: Any = None) -> Any:
        return empty_pb2.Empty()

    def CheckConfig(self, request: Any, context: Any = None) -> Any:
        return provider_pb2.CheckResponse(inputs=request.news)

    def DiffConfig(self, request: Any, context: Any = None) -> Any:
        return provider_pb2.DiffResponse(changes=provider_pb2.DiffResponse.DIFF_NONE)

    def Configure(self, request: Any, context: Any = None) -> Any:
        return provider_pb2.ConfigureResponse(acceptSecrets=True, supportsPreview=True)


def diff_response(
    details: Mapping[str, str], replacing: Collection[str] = (), *, delete_first: bool = False
) -> Any:
    """The answer to ``Diff``: ``details`` as `difference` gives them, and those paths of them that replace."""
    return provider_pb2.DiffResponse(
        changes=provider_pb2.DiffResponse.DIFF_SOME if details else provider_pb2.DiffResponse.DIFF_NONE,
        diffs=sorted({top_level(path) for path in details}),
        replaces=sorted({top_level(path) for path in replacing}),
        detailedDiff={
            path: provider_pb2.PropertyDiff(kind=_KINDS[kind] + (path in replacing), inputDiff=True)
            for path, kind in details.items()
        },
        hasDetailedDiff=True,
        deleteBeforeReplace=delete_first,
    )


def top_level(path: str) -> str:
    """The input that a path leads into: ``tags`` of ``tags["a.b"]``."""
    return re.split(r"[.\[]", path, maxsplit=1)[0]


def serve(plugin: Plugin) -> int:
    """Print the port, as plugins do, and serve until the process is told to end. The exit code."""
    server = grpc.server(ThreadPoolExecutor(32), options=[("grpc.max_receive_message_length", 400 << 20)])
    provider_pb2_grpc.add_ResourceProviderServicer_to_server(plugin, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    signal.signal(signal.SIGTERM, lambda *_: server.stop(grace=None))
    print(port, flush=True)
    try:
        server.wait_for_termination()
    except KeyboardInterrupt:
        server.stop(grace=None).wait()
    return 0
