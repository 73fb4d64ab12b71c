"""Starts real replicas for tests and talks to them."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import shutil
import socket
import ssl
import subprocess
import sys
import tempfile
import textwrap
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent.parent
TEXT_SCRIPT = """
    import json, os, sys, time

    def init():
        print("init was called")

    def run(data):
        body = json.loads(data)
        if isinstance(body, dict):
            time.sleep(body.get("sleep", 0))
            end = time.monotonic() + body.get("spin", 0)
            while time.monotonic() < end:
                pass
            if "raise" in body:
                raise ValueError(body["raise"])
            if "exit" in body:
                os._exit(body["exit"])
            if "print" in body:
                print(body["print"])
        return {"got": body, "pid": os.getpid()}
"""


@dataclass
class Answer:
    """A response."""

    status: int
    headers: dict[str, str]
    body: bytes
    seconds: float

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Replica:
    """A running replica process in a folder of its own."""

    folder: Path
    config: dict[str, Any]
    process: subprocess.Popen[bytes]
    port: int = 0
    stderr: Path = field(default_factory=Path)

    # -- control ----

    def connect(self) -> socket.socket:
        sock = socket.socket(socket.AF_UNIX)
        sock.settimeout(30)
        end = time.monotonic() + 20
        while True:
            try:
                sock.connect(self.config["control_socket"])
                return sock
            except OSError:
                if time.monotonic() > end or self.process.poll() is not None:
                    raise
                time.sleep(0.01)

    def control(self, command: str, fds: list[int] | None = None, **more: Any) -> dict[str, Any]:
        return self.control_fds(command, fds, **more)[0]

    def control_fds(
        self, command: str, fds: list[int] | None = None, **more: Any
    ) -> tuple[dict[str, Any], list[int]]:
        with contextlib.closing(self.connect()) as sock:
            line = json.dumps({"cmd": command, **more}).encode() + b"\n"
            if fds:
                socket.send_fds(sock, [line], fds)
            else:
                sock.sendall(line)
            data, received, _, _ = socket.recv_fds(sock, 65536, 4)
            while not data.endswith(b"\n"):
                chunk = sock.recv(65536)
                assert chunk, data
                data += chunk
            return json.loads(data), list(received)

    def wait_ready(self, seconds: float = 120) -> dict[str, Any]:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if self.process.poll() is not None:
                raise AssertionError(f"exit code {self.process.returncode}\n{self.output()}")
            status = self.control("status")
            if status["state"] == "ready":
                return status
            time.sleep(0.01)
        raise AssertionError(f"not ready after {seconds} s\n{self.output()}")

    def accept(self) -> int:
        """Hand over a new listening socket; its port."""
        with socket.create_server(("127.0.0.1", 0), backlog=1024) as listener:
            assert self.control("accept", [listener.fileno()]) == {"ok": True}
            self.port = listener.getsockname()[1]
        return self.port

    @property
    def workers(self) -> list[int]:
        return self.control("status")["workers"]

    # -- HTTP ----

    def client(self, timeout: float = 30) -> http.client.HTTPConnection:
        if self.config.get("ssl"):
            context = ssl.create_default_context(cafile=self.config["ssl"]["cert_file"])
            return http.client.HTTPSConnection("localhost", self.port, timeout=timeout, context=context)
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)

    def request(
        self,
        path: str,
        body: bytes | str | None = None,
        headers: dict[str, str] | None = None,
        method: str | None = None,
        client: http.client.HTTPConnection | None = None,
    ) -> Answer:
        connection = client or self.client()
        start = time.monotonic()
        try:
            connection.request(method or ("GET" if body is None else "POST"), path, body, headers or {})
            response = connection.getresponse()
            data = response.read()
            return Answer(response.status, dict(response.getheaders()), data, time.monotonic() - start)
        finally:
            if client is None:
                connection.close()

    def score(self, value: Any, client: http.client.HTTPConnection | None = None, **headers: str) -> Answer:
        given = {"Content-Type": "application/json", **{k.replace("_", "-"): v for k, v in headers.items()}}
        return self.request("/score", json.dumps(value), given, client=client)

    def raw(self, data: bytes, timeout: float = 5, *, shut: bool = False) -> bytes:
        """Everything the server answers to these bytes until it closes (or `timeout`)."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=timeout) as sock:
            with contextlib.suppress(ConnectionError):
                sock.sendall(data)
                if shut:
                    sock.shutdown(socket.SHUT_WR)
            return read_all(sock)

    # -- files ----

    def log(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in Path(self.config["log_file"]).read_text().splitlines()]

    def wait_log(self, message: str, seconds: float = 5) -> dict[str, Any]:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            for line in self.log():
                if message in line["message"]:
                    return line
            time.sleep(0.02)
        raise AssertionError(f"no {message!r} in the log:\n{self.output()}")

    def output(self) -> str:
        log = Path(self.config.get("log_file", os.devnull))
        return self.stderr.read_text() + (log.read_text() if log.exists() else "")

    def startup_error(self) -> str:
        return Path(self.config["startup_error_file"]).read_text()

    def set_keys(self, **keys: str) -> None:
        temporary = Path(self.config["keys_file"] + ".new")
        temporary.write_text(json.dumps(keys))
        temporary.replace(self.config["keys_file"])

    def stop(self) -> int:
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        return self.process.returncode

    def clean(self) -> None:
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)


def read_all(sock: socket.socket) -> bytes:
    data = b""
    with contextlib.suppress(TimeoutError, ConnectionError):
        while chunk := sock.recv(65536):
            data += chunk
    return data


def start(
    script: str,
    *,
    environ: dict[str, str] | None = None,
    files: dict[str, str] | None = None,
    stdout: int | None = None,
    **config: Any,
) -> Replica:
    """Start a replica of a script; it is not ready yet. With `stdout`, a descriptor, its log goes there."""
    # A short folder: the paths of UNIX sockets are limited.
    folder = Path(tempfile.mkdtemp(prefix="srv-"))
    source = folder / "source"
    source.mkdir()
    (source / "score.py").write_text(textwrap.dedent(script))
    for name, text in (files or {}).items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    settings: dict[str, Any] = {
        "service": "churn",
        "replica_id": "churn-1",
        "entry_script": str(source / "score.py"),
        "source_directory": str(source),
        "model_dir": str(folder / "azureml-models"),
        "models": {"churn": "7"},
        "auth_enabled": False,
        "keys_file": str(folder / "keys.json"),
        "control_socket": str(folder / "control.sock"),
        "http_socket": str(folder / "http.sock"),
        "startup_error_file": str(folder / "startup-error.txt"),
        "log_file": str(folder / "replica.log"),
        **config,
    }
    (folder / "keys.json").write_text(json.dumps({"primary": "first-key", "secondary": "second-key"}))
    if stdout is not None:
        del settings["log_file"]
    (folder / "replica.json").write_text(json.dumps(settings))
    stderr = folder / "stderr"
    with stderr.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, str(ROOT / "serving/__main__.py"), "--config", str(folder / "replica.json")],
            cwd=source,
            env={**os.environ, "PYTHONPATH": str(ROOT), **(environ or {})},
            stdin=subprocess.DEVNULL,
            stdout=output if stdout is None else stdout,
            stderr=output,
        )
    return Replica(folder, settings, process, stderr=stderr)
