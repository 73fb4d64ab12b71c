"""Hundreds of open streams while a service is swapped again and again, and one client that does not read."""

from __future__ import annotations

import json
import selectors
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.serving import reference
from tests.serving.replica import Replica
from tests.serving.tools import UnavailableError

SCRIPT = """
    import json, os, time

    def init():
        pass

    def run(data):
        asked = json.loads(data)
        for number in range(asked["count"]):
            yield {"of": asked["id"], "n": number, "by": os.environ["NAME"], "fill": "x" * asked.get("fill", 0)}
"""
PACED = """
    import json, time
    from azureml_inference_server_http.api.aml_request import rawhttp
    from azureml_inference_server_http.api.aml_response import AMLResponse

    def init():
        pass

    @rawhttp
    def run(request):
        return AMLResponse(pieces(), 200)

    def pieces():
        for number in range(5):
            yield f"{number}\\n"
            time.sleep(0.02)
"""
_PACE = 0.05


@dataclass
class Reader:
    """A client that reads its stream a piece at a time, and notes what it got."""

    sock: socket.socket
    ident: int
    data: bytearray = field(default_factory=bytearray)
    ended: bool = False

    def pieces(self) -> list[dict[str, object]]:
        """The pieces, if the answer came to its proper end."""
        head, _, body = bytes(self.data).partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200"), head[:100]
        lines: list[dict[str, object]] = []
        while True:
            size, _, body = body.partition(b"\r\n")
            length = int(size, 16)
            if not length:
                assert body == b"\r\n", f"stream {self.ident} was cut"
                return lines
            lines += [json.loads(line) for line in body[:length].splitlines()]
            body = body[length + 2 :]


class Readers(threading.Thread):
    """Reads many streams, each a little at a time, until all have ended."""

    def __init__(self) -> None:
        super().__init__()
        self.readers: list[Reader] = []
        self.finishing = threading.Event()
        self._selector = selectors.DefaultSelector()

    def begin(self, port: int, ident: int, count: int) -> None:
        """Open one more stream; its head and first piece are there when this returns."""
        sock = socket.create_connection(("127.0.0.1", port), timeout=60)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        body = json.dumps({"id": ident, "count": count, "fill": 2000}).encode()
        sock.sendall(b"POST /score HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))
        reader = Reader(sock, ident)
        reader.data += sock.recv(1024)
        sock.setblocking(False)
        self.readers.append(reader)
        self._selector.register(sock, selectors.EVENT_READ, reader)

    def run(self) -> None:
        """Read on, slowly until `finishing` is set."""
        while self._selector.get_map() or not self.finishing.is_set():
            for key, _ in self._selector.select(0.2):
                reader: Reader = key.data
                try:
                    chunk = reader.sock.recv(65536 if self.finishing.is_set() else 512)
                except ConnectionError:
                    chunk = b""
                reader.data += chunk
                if not chunk or reader.data.endswith(b"\r\n0\r\n\r\n"):
                    self._selector.unregister(reader.sock)
                    reader.sock.close()
                    reader.ended = True
            if not self.finishing.is_set():
                time.sleep(_PACE)


def memory(pid: int) -> int:
    """Kilobytes that are this process's own."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("Private_Dirty:"))


def swap_under_streams(start: Callable[..., Replica], swaps: int, streams: int) -> None:
    """Swap a service under open streams: every stream comes whole, once, from the replica it began with; one whose
    client does not read holds nobody back, and costs no memory."""
    count, ended = 60, list[Replica]()
    readers = Readers()
    with socket.create_server(("127.0.0.1", 0), backlog=1024) as listener:
        port: int = listener.getsockname()[1]

        def serve(number: int) -> Replica:
            one = start(
                SCRIPT, tcp=False, environ={"NAME": str(number)}, idle_timeout_seconds=300, drain_seconds=5
            )
            one.port = port
            assert one.control("accept", [listener.fileno()])["ok"]
            return one

        serving = serve(0)
        stalled = socket.create_connection(("127.0.0.1", port))
        body = b'{"id": -1, "count": 100000, "fill": 50000}'
        stalled.sendall(
            b"POST /score HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)
        )
        assert stalled.recv(10) == b"HTTP/1.1 2"
        (stalled_worker,) = serving.workers
        readers.start()
        settled = 0
        for number in range(swaps):
            for ident in range(number * streams // swaps, (number + 1) * streams // swaps):
                readers.begin(port, ident, count)
            settled = settled or memory(stalled_worker)
            successor = serve(number + 1)
            serving.control("release")
            serving.control("stop")
            ended.append(serving)
            serving = successor
        assert sum(not reader.ended for reader in readers.readers) > streams // 2
        grown = memory(stalled_worker) - settled
        stalled.close()
        readers.finishing.set()
        readers.join(120)
    assert not readers.is_alive()
    for reader in readers.readers:
        pieces = reader.pieces()
        assert [piece["n"] for piece in pieces] == list(range(count)), reader.ident
        assert {piece["of"] for piece in pieces} == {reader.ident}
        assert len({piece["by"] for piece in pieces}) == 1
    assert [one.process.wait(60) for one in ended] == [0] * swaps
    # A piece is 50 KB, and 5 GB of them were asked for.
    assert grown < 2000, f"{grown} KiB more while a client does not read"


def test_a_swap_cuts_no_stream(replica: Callable[..., Replica]) -> None:
    swap_under_streams(replica, swaps=1, streams=40)


@pytest.mark.reliability
def test_ten_swaps_under_five_hundred_open_streams(replica: Callable[..., Replica]) -> None:
    swap_under_streams(replica, swaps=10, streams=500)


@pytest.mark.reliability
def test_the_first_byte_comes_not_later_than_from_microsofts_server(
    replica: Callable[..., Replica], tmp_path: Path
) -> None:
    try:
        reference.environment()
    except (UnavailableError, OSError) as problem:
        pytest.skip(str(problem))
    theirs = reference.start(tmp_path / "reference", PACED, {})
    try:
        ours = replica(PACED)
        reference.wait(theirs)
        taken: dict[int, list[float]] = {ours.port: [], theirs.port: []}
        for _ in range(60):
            for port, times in taken.items():
                started = time.monotonic()
                with socket.create_connection(("127.0.0.1", port)) as sock:
                    sock.sendall(b"GET /score HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
                    data = b""
                    while b"\r\n\r\n" not in data or data.endswith(b"\r\n\r\n"):
                        chunk = sock.recv(4096)
                        assert chunk, data
                        data += chunk
                    times.append(time.monotonic() - started)
                    while sock.recv(4096):
                        pass
    finally:
        theirs.stop()
    mine, its = (sorted(times)[len(times) // 2] for times in taken.values())
    assert mine <= its, f"{mine * 1000:.2f} ms here, {its * 1000:.2f} ms there"
