"""The Kubernetes half of the prod stack, taken at its word: this suite is about what Azure is asked for.

Objects come back as they were sent, and our provider's gate and rollout pass. The real thing is tested against a real
API server in tests/kubernetes.
"""

from __future__ import annotations

import hashlib
from typing import Any

from google.protobuf import empty_pb2
from pulumi.runtime.proto import provider_pb2

from mldeploy.values.difference import difference
from mldeploy.values.marshal import decode, encode
from mldeploy.values.property_value import reveal
from tests.standin import Plugin


class KubeEcho(Plugin):
    name, version = "kubernetes", "4.34.2"

    def Check(self, request: Any, context: Any = None) -> Any:
        return provider_pb2.CheckResponse(inputs=request.news)

    def Diff(self, request: Any, context: Any = None) -> Any:
        olds, news = reveal(decode(request.old_inputs)), reveal(decode(request.news))
        details = difference(olds, news)
        some = provider_pb2.DiffResponse.DIFF_SOME if details else provider_pb2.DiffResponse.DIFF_NONE
        # An object of another name is another object.
        renamed = ["metadata"] if {"metadata.name", "metadata.namespace"} & details.keys() else []
        changed = sorted({path.split(".")[0] for path in details})
        return provider_pb2.DiffResponse(changes=some, diffs=changed, replaces=renamed)

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
