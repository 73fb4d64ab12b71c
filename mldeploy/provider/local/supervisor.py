"""Holds the listening socket of one service and hands it to replicas. Standard library only; a few megabytes.

Run isolated: ``python -I -S supervisor.py <config file>``. The config: {host, port, tls, control, error_file,
active_file, adopt: [{replica, control, again}]}. It binds the port, or takes its socket from a replica that still
has it (an earlier supervisor died). A dead replica is started again, as the file ``again`` says, at once and then less
and less often; when that takes long, or there is no such file, connections are answered with 503. On the UNIX socket
``control`` it answers, one JSON line each:

- {"cmd": "status"} -> {"ok", "state": "ready", "pid", "port", "active"}
- {"cmd": "switch", "replica", "control", "again"} -> the new replica accepts, then the old one releases; on failure
  the old one keeps the socket
- {"cmd": "stop"} -> the active replica releases, the socket is closed, the process ends
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import sys
import threading
import time
from typing import Any

_BACKLOG = 1024
_STEP_SECONDS = 30.0
_WATCH_SECONDS = 1.0
_REFUSE_SECONDS = 2.0
_BACK_OFF = (0.0, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0)
_CALM_SECONDS = 120.0
_WAIT_SECONDS = 10.0
_START_SECONDS = 120.0
AGAIN = "launch.json"
"""In a replica's folder: how to start it again."""
_BODY = b'{"error": "no replica of this service is running: run `mldeploy up`"}'
_HEAD = "HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\nConnection: close\r\n"
_UNAVAILABLE = f"{_HEAD}Retry-After: 5\r\nContent-Length: {len(_BODY)}\r\n\r\n".encode() + _BODY


class Supervisor:
    """The socket, and which replica has it."""

    def __init__(self, config: dict[str, Any]) -> None:
        self._config = config
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self._active: dict[str, str] | None = None
        self._deaths: list[float] = []
        self._next_start = 0.0
        self._started: tuple[int, float] | None = None
        self._listener = self._adopt() or self._bind()
        self._remember()

    def _adopt(self) -> socket.socket | None:
        for replica in self._config["adopt"]:
            try:
                _reply, descriptors = _call(replica["control"], {"cmd": "give"})
            except (OSError, ValueError):
                continue
            for descriptor in descriptors:
                taken = socket.socket(fileno=descriptor)
                if taken.getsockname()[1] == self._config["port"]:
                    self._active = replica
                    return taken
                taken.close()
        return None

    def _bind(self) -> socket.socket:
        family = socket.AF_INET6 if ":" in self._config["host"] else socket.AF_INET
        listener = socket.socket(family, socket.SOCK_STREAM)
        # Connections that an earlier process closed linger for a minute; they are no reason to refuse.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((self._config["host"], self._config["port"]))
        listener.listen(_BACKLOG)
        return listener

    def _remember(self) -> None:
        temporary = self._config["active_file"] + ".new"
        with open(temporary, "w") as file:
            json.dump({"replica": self._active and self._active["replica"]}, file)
        os.replace(temporary, self._config["active_file"])

    def status(self, _request: dict[str, Any]) -> dict[str, Any]:
        """Who has the socket."""
        active = self._active and self._active["replica"]
        return {"state": "ready", "pid": os.getpid(), "port": self._config["port"], "active": active}

    def switch(self, request: dict[str, Any]) -> dict[str, Any]:
        """Give the socket to another replica; it accepts before the old one stops to."""
        new = {name: str(request.get(name, "")) for name in ("replica", "control", "again")}
        with self._lock:
            old = self._active
            # Asked again for the same one: it may have lost the socket, so only believe it when it says so.
            if old == new and _call(new["control"], {"cmd": "status"})[0].get("accepting"):
                return {}
            _call(new["control"], {"cmd": "accept"}, self._listener.fileno())
            self._active = new
            self._deaths, self._started = [], None
            # A full disk must not keep the old replica from releasing.
            with contextlib.suppress(OSError):
                self._remember()
            if old and old != new:
                # A dead replica has released already.
                with contextlib.suppress(OSError, ValueError):
                    _call(old["control"], {"cmd": "release"})
        return {}

    def stop(self, _request: dict[str, Any]) -> dict[str, Any]:
        """Close the port."""
        with self._lock:
            if self._active:
                with contextlib.suppress(OSError, ValueError):
                    _call(self._active["control"], {"cmd": "release"})
            self._listener.close()
        self._stopped.set()
        return {}

    def serve(self) -> None:
        """Answer on the control socket until stopped."""
        path = self._config["control"]
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)
        control = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        control.bind(path)
        os.chmod(path, 0o600)
        control.listen(16)
        threading.Thread(target=self._accept, args=(control,), daemon=True).start()
        while not self._stopped.wait(_WATCH_SECONDS):
            self._look_after_the_replica()
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)

    def _look_after_the_replica(self) -> None:
        """Start a dead replica again, and answer for it where that takes long."""
        with self._lock:
            if self._active is None or self._stopped.is_set():
                return
            if _reachable(self._active["control"]):
                if self._started is not None:
                    self._welcome(self._active)
                return
            now = time.monotonic()
            if self._started is not None:
                pid, since = self._started
                if _runs(pid) and now - since < _START_SECONDS:
                    # Connections wait for it: it answers them itself as soon as it can.
                    if now - since > _WAIT_SECONDS:
                        self._answer_for_the_dead()
                    return
                self._started = None
            self._start_again(self._active, now)
            if self._started is None:
                self._answer_for_the_dead()

    def _welcome(self, replica: dict[str, str]) -> None:
        """A replica that was started again gets the socket."""
        try:
            _call(replica["control"], {"cmd": "accept"}, self._listener.fileno())
        except (OSError, ValueError) as error:
            print(
                f"replica {replica['replica']} does not take the port: {error}", file=sys.stderr, flush=True
            )
            return
        self._started = None

    def _start_again(self, replica: dict[str, str], now: float) -> None:
        if now < self._next_start or not os.path.exists(replica.get("again", "")):
            return
        self._deaths = [death for death in self._deaths if now - death < _CALM_SECONDS] + [now]
        self._next_start = now + _BACK_OFF[min(len(self._deaths), len(_BACK_OFF) - 1)]
        print(f"replica {replica['replica']} is dead and is started again", file=sys.stderr, flush=True)
        import subprocess  # only here: it costs memory

        launcher = os.path.join(os.path.dirname(os.path.abspath(__file__)), "launch.py")
        try:
            with open(replica["again"], "rb") as order:
                made = subprocess.run(
                    [sys.executable, "-I", "-S", launcher],
                    stdin=order,
                    capture_output=True,
                    check=True,
                    timeout=30,
                )
            self._started = (int(made.stdout), now)
        except (OSError, ValueError, subprocess.SubprocessError) as error:
            print(f"it cannot be started: {error}", file=sys.stderr, flush=True)

    def _answer_for_the_dead(self) -> None:
        """Nobody else takes these connections: without an answer clients would wait until they give up."""
        blocking = os.get_blocking(self._listener.fileno())
        self._listener.setblocking(False)
        try:
            with contextlib.suppress(BlockingIOError):
                while True:
                    client, _ = self._listener.accept()
                    threading.Thread(target=self._refuse, args=(client,), daemon=True).start()
        finally:
            # The flag belongs to the socket, which replicas share: leave it as it was.
            os.set_blocking(self._listener.fileno(), blocking)

    def _refuse(self, client: socket.socket) -> None:
        with client, contextlib.suppress(OSError):
            client.settimeout(_REFUSE_SECONDS)
            if not self._config["tls"]:
                client.sendall(_UNAVAILABLE)
            client.shutdown(socket.SHUT_WR)
            # Unread bytes would turn the close into a reset, which takes the answer away from the client.
            while client.recv(65536):
                pass

    def _accept(self, control: socket.socket) -> None:
        while True:
            client, _ = control.accept()
            threading.Thread(target=self._answer, args=(client,), daemon=True).start()

    def _answer(self, client: socket.socket) -> None:
        with client:
            client.settimeout(_STEP_SECONDS)
            request = None
            try:
                request = json.loads(client.makefile("rb").readline())
                answer = {"status": self.status, "switch": self.switch, "stop": self.stop}[request["cmd"]]
                reply = {"ok": True, **answer(request)}
            except Exception as error:
                reply = {"ok": False, "error": f"{type(error).__name__}: {error}"}
            with contextlib.suppress(OSError):
                client.sendall(json.dumps(reply).encode() + b"\n")


def _call(
    path: str, request: dict[str, Any], descriptor: int | None = None
) -> tuple[dict[str, Any], list[int]]:
    """One request to a replica: its reply and the file descriptors that came with it."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
        client.settimeout(_STEP_SECONDS)
        client.connect(path)
        line = json.dumps(request).encode() + b"\n"
        if descriptor is None:
            client.sendall(line)
        else:
            socket.send_fds(client, [line], [descriptor])
        data = b""
        descriptors: list[int] = []
        while not data.endswith(b"\n"):
            chunk, received, _flags, _address = socket.recv_fds(client, 65536, 4)
            descriptors += received
            if not chunk:
                break
            data += chunk
    reply: dict[str, Any] = json.loads(data)
    if reply.get("ok") is False:
        raise ValueError(f"the replica refuses to {request['cmd']}: {reply.get('error')}")
    return reply, descriptors


def _reachable(path: str) -> bool:
    """Whether a process still listens on a control socket: a dead one's socket refuses."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
        client.settimeout(_STEP_SECONDS)
        try:
            client.connect(path)
        except (ConnectionRefusedError, FileNotFoundError):
            return False
        except OSError:
            return True
    return True


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except OSError:
        return False
    return True


def main(config_file: str) -> int:
    """Run until stopped; a port that cannot be had is written to the error file."""
    with open(config_file) as file:
        config = json.load(file)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        supervisor = Supervisor(config)
    except OSError as error:
        with open(config["error_file"], "w") as file:
            json.dump({"errno": error.errno, "message": error.strerror or str(error)}, file)
        return 1

    def stop(_signal: int, _frame: object) -> None:
        # Not here: the interrupted thread may hold the lock.
        threading.Thread(target=supervisor.stop, args=({},)).start()

    signal.signal(signal.SIGTERM, stop)
    supervisor.serve()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
