"""Start a process that belongs to nobody: its own session, nothing inherited, reaped by the system.

Run as a script with a JSON object on its standard input: {argv, cwd, env, log}, or {engine, container} for a container
that has ended and is to run again; and perhaps {record}, a file that will say which process it is. Prints the process
id. A process of its own does this because forking a process that has threads is not safe, and because a child that ends
unwaited stays as a zombie for as long as its parent lives.
Standard library only: it runs isolated.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from typing import Any


def birth(pid: int) -> str | None:
    """What tells a process from a later one with the same id: boot id and start time; None when it is dead
    (a zombie is)."""
    if sys.platform == "linux":
        try:
            # The command's name, in parentheses, may hold anything: count from its end.
            with open(f"/proc/{pid}/stat") as file:
                fields = file.read().rpartition(")")[2].split()
            with open("/proc/sys/kernel/random/boot_id") as file:
                boot = file.read().strip()
        except OSError:
            return None
        return None if fields[0] in "ZX" else f"{boot}:{fields[19]}"
    found = subprocess.run(
        ["ps", "-o", "stat=,lstart=", "-p", str(pid)],
        capture_output=True,
        text=True,
        check=False,
        env={"LC_ALL": "C"},
    )
    state, _, started = found.stdout.strip().partition(" ")
    return None if not state or state.startswith("Z") else started.strip()


def start_container(engine: str, name: str) -> int:
    """Start a container again, on the engine behind a UNIX socket; the id of its first process on this machine.

    Raises:
        OSError: it does not run afterwards, or the engine does not answer.
    """
    import http.client
    import socket

    def ask(method: str, path: str) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection("docker", timeout=20)
        connection.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connection.sock.settimeout(20)
        connection.sock.connect(engine)
        with contextlib.closing(connection):
            connection.request(method, path)
            answer = connection.getresponse()
            return answer.status, answer.read()

    status, said = ask("POST", f"/containers/{name}/start")
    if status >= 400:
        raise OSError(f"the container {name} does not start: {said.decode(errors='replace')[:300]}")
    state = json.loads(ask("GET", f"/containers/{name}/json")[1])["State"]
    if not state.get("Running") or birth(state["Pid"]) is None:
        raise OSError(f"the container {name} is {state.get('Status')}")
    return int(state["Pid"])


def start_process(order: dict[str, Any]) -> int:
    """Start a process; its id.

    Raises:
        OSError: it cannot be started.
    """
    with open(order["log"], "ab", buffering=0) as log:
        process = subprocess.Popen(
            order["argv"],
            cwd=order["cwd"],
            env=order["env"],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            close_fds=True,
        )
    process.returncode = 0  # it goes on without us: no warning that it was not waited for
    return process.pid


def main() -> None:
    """Start what the standard input describes."""
    order = json.load(sys.stdin)
    named = order.get("container")
    pid = start_container(order["engine"], named) if named else start_process(order)
    if order.get("record"):
        try:
            write_record(order["record"], pid)
        except OSError as error:
            # It serves, and would be started a second time if this were a failure.
            print(f"{order['record']} cannot be written: {error}", file=sys.stderr)
    print(pid, flush=True)


def write_record(path: str, pid: int) -> None:
    """Say which process it is, also on a full disk, where the file that is there can be written over.

    Raises:
        OSError: not even that.
    """
    text = json.dumps({"pid": pid, "born": birth(pid) or ""}).encode()
    temporary = f"{path}.{pid}"
    try:
        with open(temporary, "wb", opener=lambda path, flags: os.open(path, flags, 0o600)) as file:
            file.write(text)
        os.replace(temporary, path)
    except OSError:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        with open(path, "r+b", buffering=0) as file:
            file.write(text)
            file.truncate()


if __name__ == "__main__":
    main()
