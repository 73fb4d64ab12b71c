"""Score with one thread a connection. Speaks the control protocol of a replica; no schemas or workers."""

import contextlib
import importlib.util
import json
import os
import signal
import socket
import sys
import threading
import time
import traceback
from http.server import BaseHTTPRequestHandler
from pathlib import Path

config = json.loads(Path(sys.argv[sys.argv.index("--config") + 1]).read_text())
script = None
listeners: dict[str, socket.socket] = {}
state = "starting"
draining = threading.Event()
open_requests = 0
count_lock = threading.Lock()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, format, *args):
        print(json.dumps({"level": "info", "message": format % args}), flush=True)

    def address_string(self):
        return "-"

    def do_GET(self):
        self.reply(200, b'{"models": %s}' % json.dumps(config["models"]).encode())

    def do_POST(self):
        global open_requests
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if config["auth_enabled"]:
            keys = json.loads(Path(config["keys_file"]).read_text())
            if self.headers.get("Authorization", "").removeprefix("Bearer ") not in keys.values():
                return self.reply(401, b'{"error": "key"}')
        with count_lock:
            open_requests += 1
        try:
            self.reply(200, json.dumps(script.run(body)).encode())
        except Exception:
            print(traceback.format_exc(), flush=True)
            self.reply(500, b'{"error": "run() raised"}')
        finally:
            with count_lock:
                open_requests -= 1

    def reply(self, status, body):
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        if draining.is_set() and "tcp" not in listeners and self.server_kind == "tcp":
            self.send_header("Connection", "close")
            self.close_connection = True
        self.end_headers()
        self.wfile.write(body)
        return


def serve(kind, listener):
    kinds = type("Handler", (Handler,), {"server_kind": kind})

    def connection(client):
        with client, contextlib.suppress(OSError):
            kinds(client, ("", 0), None)

    listener.setblocking(False)
    while listeners.get(kind) is listener:
        try:
            client, _ = listener.accept()
        except BlockingIOError:
            time.sleep(0.002)
            continue
        except OSError:
            return
        client.setblocking(True)
        threading.Thread(target=connection, args=(client,), daemon=True).start()


def listen(kind, listener):
    listeners[kind] = listener
    threading.Thread(target=serve, args=(kind, listener), daemon=True).start()


def answer(command, fds):
    if command == "status":
        return {
            "state": state,
            "pid": os.getpid(),
            "accepting": "tcp" in listeners,
            "models": config["models"],
            "workers": [os.getpid()],
        }, []
    if command == "accept":
        draining.clear()
        listen("tcp", socket.socket(fileno=fds[0]))
        return {"ok": True}, []
    if command == "release":
        listeners.pop("tcp", None)
        draining.set()
        return {"ok": True}, []
    if command == "give":
        if "tcp" not in listeners:
            return {"ok": False, "error": "no socket"}, []
        return {"ok": True}, [listeners["tcp"].fileno()]
    if command == "stop":
        threading.Thread(target=stop).start()
        return {"ok": True}, []
    return {"ok": False, "error": f"no command {command}"}, []


def stop(*_):
    global state
    state = "draining"
    listeners.pop("tcp", None)
    draining.set()
    until = time.monotonic() + config.get("drain_seconds", 5)
    while open_requests and time.monotonic() < until:
        time.sleep(0.01)
    time.sleep(0.1)
    os._exit(0)


def control():
    path = config["control_socket"]
    server = socket.socket(socket.AF_UNIX)
    server.bind(path)
    server.listen(8)

    def loop():
        while True:
            client, _ = server.accept()
            with client:
                try:
                    data, fds, _, _ = socket.recv_fds(client, 65536, 4)
                    if not data:
                        continue
                    reply, sent = answer(json.loads(data)["cmd"], fds)
                    socket.send_fds(client, [json.dumps(reply).encode() + b"\n"], sent)
                except OSError:
                    continue

    threading.Thread(target=loop, daemon=True).start()


def unix_http():
    server = socket.socket(socket.AF_UNIX)
    server.bind(config["http_socket"])
    server.listen(64)
    listen("unix", server)


def main():
    global script, state
    signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=stop).start())
    control()
    unix_http()
    os.environ["AZUREML_MODEL_DIR"] = config["model_dir"]
    sys.path.insert(0, config["source_directory"])
    try:
        spec = importlib.util.spec_from_file_location("entry", config["entry_script"])
        script = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(script)
        script.init()
    except BaseException:
        Path(config["startup_error_file"]).write_text(traceback.format_exc())
        os._exit(3)
    state = "ready"
    print(json.dumps({"level": "info", "message": "ready"}), flush=True)
    threading.Event().wait()


main()
