"""`python -m tests.azure.standin [engine]`: the plugin process. Prints its port, as plugins do."""

from __future__ import annotations

import os
import signal
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
from pulumi.runtime.proto import provider_pb2_grpc

from tests.azure.standin.servicer import StandIn


def main() -> int:
    folder = os.environ.get("STANDIN_FOLDER")
    if not folder:
        print(
            "STANDIN_FOLDER is not set: this is the tests' stand-in for azure-native, not the plugin",
            file=sys.stderr,
        )
        return 1
    server = grpc.server(ThreadPoolExecutor(32), options=[("grpc.max_receive_message_length", 400 << 20)])
    provider_pb2_grpc.add_ResourceProviderServicer_to_server(StandIn(Path(folder)), server)
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
