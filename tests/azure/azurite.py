"""Azurite, Microsoft's own blob emulator, as a real blob service: over TLS, with Entra tokens only."""

from __future__ import annotations

import os
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BINARY = Path(os.environ.get("AZURITE", ROOT / ".cache/azurite/node_modules/.bin/azurite-blob"))
ACCOUNT = "devstoreaccount1"


def why_not() -> str:
    """Why it cannot run here, or an empty string."""
    return "" if BINARY.exists() else f"no Azurite at {BINARY}: `make azure-tools` gets it"


@contextmanager
def serve(data: Path, certificates: Path) -> Iterator[str]:
    """Run it until the block ends; gives the account's address. ``certificates`` holds ca.pem and key.pem."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [
        str(BINARY),
        "--blobHost",
        "127.0.0.1",
        "--blobPort",
        str(port),
        "--location",
        str(data),
        "--silent",
    ]
    command += ["--skipApiVersionCheck", "--disableTelemetry", "--oauth", "basic"]
    command += ["--cert", str(certificates / "ca.pem"), "--key", str(certificates / "key.pem")]
    process = subprocess.Popen(command, cwd=data, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    try:
        deadline = time.monotonic() + 60
        while True:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(
                    f"Azurite did not start: {process.stdout.read().decode() if process.stdout else ''}"
                )
            time.sleep(0.1)
        yield f"https://127.0.0.1:{port}/{ACCOUNT}"
    finally:
        process.terminate()
        process.wait(30)
