"""`python -m tests.kubernetes.standin [engine]`: the plugin process. Prints its port, as plugins do."""

from __future__ import annotations

import signal
from concurrent.futures import ThreadPoolExecutor

import grpc
from pulumi.runtime.proto import provider_pb2_grpc

from tests.kubernetes.standin.servicer import StandIn


def main() -> int:
    server = grpc.server(ThreadPoolExecutor(32), options=[("grpc.max_receive_message_length", 400 << 20)])
    provider_pb2_grpc.add_ResourceProviderServicer_to_server(StandIn(), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    signal.signal(signal.SIGTERM, lambda *_: server.stop(grace=None))
    print(port, flush=True)
    try:
        server.wait_for_termination()
    except KeyboardInterrupt:
        server.stop(grace=None).wait()
    return 0


raise SystemExit(main())
