"""The Kubernetes half of the prod stack, taken at its word: this suite is about what Azure is asked for.

Objects come back as they were sent, and our provider's gate and rollout pass. The real thing is tested against a real
API server in tests/kubernetes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

from google.protobuf import empty_pb2
from pulumi.runtime.proto import plugin_pb2, provider_pb2, provider_pb2_grpc

from mldeploy.provider.kubernetes import rollout
from mldeploy.provider.resources import RESOURCES
from mldeploy.provider.values import decode, difference, encode, reveal

_OUTPUTS = ("passed", "seconds", "revision", "pods", "uri", "address")


def no_cluster(put: Callable[[Any, str, Any], None] = setattr) -> None:
    """Let our provider's Kubernetes resources succeed without a cluster. ``put`` sets an attribute, as setattr does."""
    put(rollout, "_drift", lambda *_: [])
    for resource in RESOURCES.values():
        if "kubernetes" in type(resource).__module__:
            put(resource, "create", lambda ctx, inputs: (ctx.name, dict.fromkeys(_OUTPUTS, 0)))
            put(resource, "update", lambda ctx, ident, state, olds, news: dict.fromkeys(_OUTPUTS, 0))
            put(resource, "read", lambda ctx, ident, state, inputs: (dict(state), {}))
            put(resource, "delete", lambda ctx, ident, state: None)


class KubeEcho(provider_pb2_grpc.ResourceProviderServicer):
    def GetPluginInfo(self, request: Any, context: Any = None) -> Any:
        return plugin_pb2.PluginInfo(version="4.34.2")

    def CheckConfig(self, request: Any, context: Any = None) -> Any:
        return provider_pb2.CheckResponse(inputs=request.news)

    def DiffConfig(self, request: Any, context: Any = None) -> Any:
        return provider_pb2.DiffResponse(changes=provider_pb2.DiffResponse.DIFF_NONE)

    def Configure(self, request: Any, context: Any = None) -> Any:
        return provider_pb2.ConfigureResponse(acceptSecrets=True, supportsPreview=True)

    def Check(self, request: Any, context: Any = None) -> Any:
        return provider_pb2.CheckResponse(inputs=request.news)

    def Diff(self, request: Any, context: Any = None) -> Any:
        details = difference(reveal(decode(request.old_inputs)), reveal(decode(request.news)))
        some = provider_pb2.DiffResponse.DIFF_SOME if details else provider_pb2.DiffResponse.DIFF_NONE
        return provider_pb2.DiffResponse(changes=some, diffs=sorted({path.split(".")[0] for path in details}))

    def Create(self, request: Any, context: Any = None) -> Any:
        inputs = decode(request.properties)
        ident = hashlib.sha256(str(request.urn).encode()).hexdigest()[:12]
        return provider_pb2.CreateResponse(id="" if request.preview else ident, properties=encode(inputs))

    def Update(self, request: Any, context: Any = None) -> Any:
        return provider_pb2.UpdateResponse(properties=request.news)

    def Read(self, request: Any, context: Any = None) -> Any:
        return provider_pb2.ReadResponse(id=request.id, properties=request.properties, inputs=request.inputs)

    def Delete(self, request: Any, context: Any = None) -> Any:
        return empty_pb2.Empty()

    def Cancel(self, request: Any, context: Any = None) -> Any:
        return empty_pb2.Empty()
