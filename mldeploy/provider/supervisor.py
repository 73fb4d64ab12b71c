"""Holds the listening socket of one service and hands it to replicas. Standard library only; a few megabytes.

Run isolated: ``python -I -S supervisor.py <config file>``. The config: {host, port, control, adopt: [{replica, control}],
error_file, active_file}. It binds the port, or takes its socket from a replica that still has it (an earlier supervisor
died). On the UNIX socket ``control`` it answers, one JSON line each:

- {"cmd": "status"} -> {"ok", "state": "ready", "pid", "port", "active"}
- {"cmd": "switch", "replica", "control"} -> the new replica accepts, then the old one releases; on failure the old stays
- {"cmd": "stop"} -> the active replica releases, the socket is closed, the process ends
"""

import contextlib
import json
import os
import signal
import socket
import sys
import threading

_BACKLOG = 1024
_STEP_SECONDS = 30.0


class Supervisor:
    """The socket, and which replica has it."""

    def __init__(self, config):
        self._config = config
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self._active = None
        self._listener = self._adopt() or self._bind()
        self._remember()

    def _adopt(self):
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

    def _bind(self):
        family = socket.AF_INET6 if ":" in self._config["host"] else socket.AF_INET
        listener = socket.socket(family, socket.SOCK_STREAM)
        # Connections that an earlier process closed linger for a minute; they are no reason to refuse.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((self._config["host"], self._config["port"]))
        listener.listen(_BACKLOG)
        return listener

    def _remember(self):
        temporary = self._config["active_file"] + ".new"
        with open(temporary, "w") as file:
            json.dump({"replica": self._active and self._active["replica"]}, file)
        os.replace(temporary, self._config["active_file"])

    def status(self, _request):
        """Who has the socket."""
        active = self._active and self._active["replica"]
        return {"state": "ready", "pid": os.getpid(), "port": self._config["port"], "active": active}

    def switch(self, request):
        """Give the socket to another replica; it accepts before the old one stops to."""
        new = {"replica": request["replica"], "control": request["control"]}
        with self._lock:
            old = self._active
            if old == new:
                # Asked again for the same one: it may have lost the socket, so only believe it when it says so.
                if _call(new["control"], {"cmd": "status"})[0].get("accepting"):
                    return {}
            _call(new["control"], {"cmd": "accept"}, self._listener.fileno())
            self._active = new
            self._remember()
            if old and old != new:
                # A dead replica has released already.
                with contextlib.suppress(OSError, ValueError):
                    _call(old["control"], {"cmd": "release"})
        return {}

    def stop(self, _request):
        """Close the port."""
        with self._lock:
            if self._active:
                with contextlib.suppress(OSError, ValueError):
                    _call(self._active["control"], {"cmd": "release"})
            self._listener.close()
        self._stopped.set()
        return {}

    def serve(self):
        """Answer on the control socket until stopped."""
        path = self._config["control"]
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)
        control = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        control.bind(path)
        os.chmod(path, 0o600)
        control.listen(16)
        threading.Thread(target=self._accept, args=(control,), daemon=True).start()
        # A blocked main thread still has to see signals.
        while not self._stopped.wait(3600):
            pass
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)

    def _accept(self, control):
        while True:
            client, _ = control.accept()
            threading.Thread(target=self._answer, args=(client,), daemon=True).start()

    def _answer(self, client):
        with client:
            client.settimeout(_STEP_SECONDS)
            request = None
            try:
                request = json.loads(client.makefile("rb").readline())
                answer = {"status": self.status, "switch": self.switch, "stop": self.stop}[request["cmd"]]
                reply = {"ok": True, **answer(request)}
            except Exception as error:  # noqa: BLE001 - whatever it is, the caller has to hear it
                reply = {"ok": False, "error": f"{type(error).__name__}: {error}"}
            with contextlib.suppress(OSError):
                client.sendall(json.dumps(reply).encode() + b"\n")


def _call(path, request, descriptor=None):
    """One request to a replica: its reply and the file descriptors that came with it."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
        client.settimeout(_STEP_SECONDS)
        client.connect(path)
        line = json.dumps(request).encode() + b"\n"
        if descriptor is None:
            client.sendall(line)
        else:
            socket.send_fds(client, [line], [descriptor])
        data, descriptors = b"", []
        while not data.endswith(b"\n"):
            chunk, received, _flags, _address = socket.recv_fds(client, 65536, 4)
            descriptors += received
            if not chunk:
                break
            data += chunk
    reply = json.loads(data)
    if reply.get("ok") is False:
        raise ValueError(f"the replica refuses to {request['cmd']}: {reply.get('error')}")
    return reply, descriptors


def main(config_file):
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
    signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=supervisor.stop, args=({},)).start())
    supervisor.serve()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
