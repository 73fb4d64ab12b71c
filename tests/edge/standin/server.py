"""The stand-in's HTTP server, with faults to order."""

import contextlib
import email.utils
import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from tests.edge.standin.hub import Hub, Refused

Fault = Callable[[int, str, str], "str | int | tuple[int, dict[str, str]] | None"]
"""(number of the request from 1, method, path) -> None, 'lose request', 'lose answer', or a status [and
headers]."""


@dataclass(frozen=True)
class Seen:
    method: str
    path: str
    query: dict[str, list[str]]
    headers: dict[str, str]
    body: Any


class HubServer:
    def __init__(self, hub: Hub) -> None:
        self.hub = hub
        self.requests: list[Seen] = []
        self.fault: Fault = lambda number, method, path: None
        self.lock = threading.Lock()

    @property
    def methods(self) -> list[str]:
        return [seen.method for seen in self.requests]


@contextlib.contextmanager
def serve(hub: Hub | None = None) -> Iterator[HubServer]:
    """A hub on an ephemeral port of 127.0.0.1."""
    state = HubServer(hub or Hub())

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True
        wbufsize = -1

        def _answer(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            text = self.rfile.read(length) if length else b""
            url = urlsplit(self.path)
            body = json.loads(text) if text else None
            seen = Seen(self.command, url.path, parse_qs(url.query), dict(self.headers), body)
            with state.lock:
                state.requests.append(seen)
                fault = state.fault(len(state.requests), seen.method, seen.path)
            if fault == "lose request":
                self._hang_up()
            elif isinstance(fault, int):
                self._send(fault, {"Message": f"ErrorCode:Injected;{fault}"}, {})
            elif isinstance(fault, tuple):
                self._send(fault[0], {"Message": f"ErrorCode:Injected;{fault[0]}"}, fault[1])
            else:
                answer = _handle(state.hub, seen)
                if fault == "lose answer":
                    self._hang_up()
                else:
                    self._send(*answer)

        do_GET = do_PUT = do_DELETE = do_POST = _answer

        def _hang_up(self) -> None:
            self.close_connection = True
            self.connection.shutdown(2)

        def _send(self, status: int, body: Any, headers: dict[str, str]) -> None:
            data = b"" if body is None else json.dumps(body).encode()
            self.send_response_only(status)
            self.send_header("Date", email.utils.formatdate(state.hub.clock(), usegmt=True))
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(data)
            self.wfile.flush()

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    state.hub.host = f"127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield state
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _handle(hub: Hub, seen: Seen) -> tuple[int, Any, dict[str, str]]:
    try:
        headers = {name.lower(): value for name, value in seen.headers.items()}
        hub.authorize(headers.get("authorization", ""))
        if seen.query.get("api-version") != ["2021-04-12"]:
            raise Refused(400, "InvalidProtocolVersion", "api-version 2021-04-12 is spoken here")
        parts = [unquote(part) for part in seen.path.strip("/").split("/")]
        if parts[0] != "configurations" or len(parts) > 2:
            raise Refused(404, "NotFound", seen.path)
        if len(parts) == 1 and seen.method == "GET":
            top = int(seen.query.get("top", ["20"])[0])
            found, token = hub.listing(top, headers.get("x-ms-continuation", ""))
            return 200, found, {"x-ms-continuation": token} if token else {}
        if seen.method == "GET":
            found = hub.get(parts[1])
            return 200, found, {"ETag": f'"{found["etag"]}"'}
        if seen.method == "PUT":
            found = hub.put(parts[1], seen.body, headers.get("if-match"))
            return 200, found, {"ETag": f'"{found["etag"]}"'}
        if seen.method == "DELETE":
            hub.delete(parts[1], headers.get("if-match"))
            return 204, None, {}
        raise Refused(405, "MethodNotAllowed", seen.method)
    except Refused as error:
        body = {"Message": f"ErrorCode:{error.code};{error.message}", "ExceptionMessage": "Tracking ID:0-0"}
        return error.status, body, {}
