"""Microsoft's server for the same scripts, in an environment of its own (never in this project's)."""

from __future__ import annotations

import contextlib
import http.client
import os
import socket
import subprocess
import textwrap
import time
from dataclasses import dataclass
from pathlib import Path

from tests.serving import tools
from tests.serving.tools import UnavailableError

VERSION = "1.5.1"
PACKAGES = (f"azureml-inference-server-http=={VERSION}", "numpy>=2", "pandas>=2.2", "scikit-learn>=1.6")


def environment() -> Path:
    """The server's environment."""
    return tools.environment(f"azureml-inference-server-http-{VERSION}", PACKAGES)


@dataclass
class Reference:
    """A running Microsoft server."""

    process: subprocess.Popen[bytes]
    port: int

    def stop(self) -> None:
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def start(folder: Path, script: str, environ: dict[str, str]) -> Reference:
    """Start it on a script, the way its own command does (but on the loopback interface only)."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "score.py").write_text(textwrap.dedent(script))
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [
        str(environment() / "bin/python"),
        "-c",
        "import sys, gunicorn.app.wsgiapp as g; sys.argv[1:] and g.WSGIApplication('%(prog)s').run()",
    ]
    options = ["-b", f"127.0.0.1:{port}", "-w", "1", "--timeout", "300", "--access-logfile", "-"]
    variables = {
        "AML_APP_ROOT": str(folder),
        "AZUREML_ENTRY_SCRIPT": str(folder / "score.py"),
        "HTTP_X_MS_SERVER_VERSION": f"azmlinfsrv/{VERSION}",
        "AML_APP_INSIGHTS_ENABLED": "false",
        "SERVICE_NAME": "churn",
        **environ,
    }
    with (folder / "reference.log").open("wb") as log:
        process = subprocess.Popen(
            [*command, *options, "azureml_inference_server_http.server.entry:app"],
            cwd=folder,
            env={**os.environ, **variables},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
    return Reference(process, port)


def wait(reference: Reference, seconds: float = 120) -> None:
    """Until it answers."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        with contextlib.suppress(OSError):
            connection = http.client.HTTPConnection("127.0.0.1", reference.port, timeout=5)
            connection.request("GET", "/")
            if connection.getresponse().status == 200:
                connection.close()
                return
        if reference.process.poll() is not None:
            raise UnavailableError(f"Microsoft's server ended with exit code {reference.process.returncode}")
        time.sleep(0.1)
    raise UnavailableError(f"Microsoft's server did not answer within {seconds} s")
