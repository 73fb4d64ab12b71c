"""`python -m mldeploy.provider [engine address]`: the provider as a plugin process. Prints its port."""

from __future__ import annotations

import os
import signal
import sys
from concurrent.futures import ThreadPoolExecutor

import grpc
from pulumi.runtime.proto import engine_pb2_grpc, provider_pb2_grpc

from mldeploy.provider.servicer import Provider, default_root

# Operations wait for processes, so threads are cheap; the engine itself limits how many run.
_THREADS = 64
_WATCH_SECONDS = 2.0
_MAX_MESSAGE = 400 * 1024 * 1024


def main(arguments: list[str]) -> int:
    """Serve until the engine ends the process."""
    address = next((argument for argument in arguments if not argument.startswith("-")), None)
    engine = engine_pb2_grpc.EngineStub(grpc.insecure_channel(address)) if address else None
    options = [
        ("grpc.max_receive_message_length", _MAX_MESSAGE),
        ("grpc.max_send_message_length", _MAX_MESSAGE),
    ]
    server = grpc.server(ThreadPoolExecutor(_THREADS), options=options)
    provider_pb2_grpc.add_ResourceProviderServicer_to_server(Provider(default_root(), engine), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()

    def stop(_signal: int, _frame: object) -> None:
        server.stop(grace=None)

    signal.signal(signal.SIGTERM, stop)
    # Ctrl-C is the engine's to handle: it cancels operations, lets them clean up, and then ends this process.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    print(port, flush=True)
    engine_process = os.getppid()
    while server.wait_for_termination(timeout=_WATCH_SECONDS):
        if os.getppid() != engine_process:  # it died without ending us
            server.stop(grace=None).wait()
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
