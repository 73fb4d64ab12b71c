"""`python -m mldeploy.provider [engine address]`: the provider as a plugin process. Prints its port."""

from __future__ import annotations

import os
import signal
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
from pulumi.runtime.proto import engine_pb2_grpc, provider_pb2_grpc

from mldeploy.provider.framework.servicer import Provider

# Operations wait for processes, so threads are cheap; the engine itself limits how many run.
_THREADS = 64
_WATCH_SECONDS = 2.0
_CLEAN_UP_SECONDS = 60.0
_MAX_MESSAGE = 400 * 1024 * 1024


def main(arguments: list[str]) -> int:
    """Serve until the engine ends the process."""
    engine_process = os.getppid()  # before it hears of us: it may be gone right after that
    address = next((argument for argument in arguments if not argument.startswith("-")), None)
    engine = engine_pb2_grpc.EngineStub(grpc.insecure_channel(address)) if address else None
    options = [
        ("grpc.max_receive_message_length", _MAX_MESSAGE),
        ("grpc.max_send_message_length", _MAX_MESSAGE),
    ]
    server = grpc.server(ThreadPoolExecutor(_THREADS), options=options)
    provider = Provider(Path.cwd(), engine)
    provider_pb2_grpc.add_ResourceProviderServicer_to_server(provider, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()

    def stop(_signal: int, _frame: object) -> None:
        server.stop(grace=None)

    def interrupt(_signal: int, _frame: object) -> None:
        # Ctrl-C is the engine's to handle: it cancels operations and lets them clean up. Then the CLI ends this process
        # with the same signal; were that ignored too, it would wait five seconds and kill, and report that as an error.
        if provider.cancelled:
            server.stop(grace=_CLEAN_UP_SECONDS)

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, interrupt)
    print(port, flush=True)
    while server.wait_for_termination(timeout=_WATCH_SECONDS):
        if os.getppid() != engine_process:  # it died without ending us
            server.stop(grace=None).wait()
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
