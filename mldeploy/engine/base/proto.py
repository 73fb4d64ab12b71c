"""The one place that touches the generated protocol modules; everything else sees `Any` messages.

The stubs type maps, oneofs and servicers too loosely for strict checking, so the noise stays here.
"""

from __future__ import annotations

from typing import Any, Final

from google.protobuf import empty_pb2, struct_pb2
from pulumi.runtime.proto import (
    analyzer_pb2,
    analyzer_pb2_grpc,
    callback_pb2,
    callback_pb2_grpc,
    engine_pb2,
    engine_pb2_grpc,
    errors_pb2,
    plugin_pb2,
    provider_pb2,
    provider_pb2_grpc,
    resource_pb2,
    resource_pb2_grpc,
    status_pb2,
)

empty: Final[Any] = empty_pb2
struct: Final[Any] = struct_pb2
analyzer: Final[Any] = analyzer_pb2
analyzer_grpc: Final[Any] = analyzer_pb2_grpc
callback: Final[Any] = callback_pb2
callback_grpc: Final[Any] = callback_pb2_grpc
engine: Final[Any] = engine_pb2
engine_grpc: Final[Any] = engine_pb2_grpc
errors: Final[Any] = errors_pb2
plugin: Final[Any] = plugin_pb2
provider: Final[Any] = provider_pb2
provider_grpc: Final[Any] = provider_pb2_grpc
resource: Final[Any] = resource_pb2
resource_grpc: Final[Any] = resource_pb2_grpc
status: Final[Any] = status_pb2

Message = Any
EMPTY: Final[Any] = empty_pb2.Empty()
