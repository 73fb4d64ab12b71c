"""Who has a TCP port of this machine."""

from __future__ import annotations

import errno
import socket
import sys
from contextlib import suppress
from pathlib import Path

from mldeploy.provider.local.runs import Run, runs

HOST = "127.0.0.1"
_LISTENING = "0A"


def previous_holder(port: int, scope: str, service: str) -> Run | None:
    """The living replica that a new listener takes a port from, in the same project and stack.

    Either its supervisor is dead, or it belongs to another service: two services of one stack never have one
    port, so that one is about to go (it was renamed, or they change ports).
    """
    listeners = [run.about() for run in runs("listeners") if run.about().get("port") == port and run.alive()]
    if any(about.get("scope") != scope or about.get("service") == service for about in listeners):
        return None
    for run in runs("replicas"):
        if run.about().get("scope") == scope and listening_port(run) == port and run.alive():
            return run
    return None


def refusal(port: int, scope: str) -> str | None:
    """Why a service of a project and stack would not get a port now.

    What a service of the same stack has is free by then: two of one stack never have one port.
    """
    holders = [run for run in runs("listeners") if run.about().get("port") == port]
    holders += [run for run in runs("replicas") if listening_port(run) == port]
    if any(run.about().get("scope") == scope and run.alive() for run in holders):
        return None
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            return refused(port, error.errno or 0, error.strerror or str(error))
    return None


def refused(port: int, code: int, message: str) -> str:
    """What the system says about a port, in words that help."""
    if code == errno.EADDRINUSE:
        return f"port {port} is in use by {owner(port)}: stop that, or give the service another port"
    if code == errno.EACCES:
        return f"port {port} needs privileges: allowed are 1024 to 65535"
    return f"port {port} cannot be bound: {message}"


def listening_port(replica: Run) -> int | None:
    """The port that was given to a replica."""
    with suppress(OSError, ValueError):
        return int((replica.path / "port").read_text())
    return None


def owner(port: int) -> str:
    """Who listens on a port, for a message: a service of ours, else the process, else nobody we can see."""
    for run in runs("listeners"):
        about = run.about()
        if about.get("port") == port and run.alive():
            process = run.process()
            pid = f", process {process[0]}" if process else ""
            return f"the service {about.get('service')!r} of {about.get('scope')} (listener {run.ident}{pid})"
    if (pid := _listening_process(port)) is not None:
        return f"process {pid} ({_command(pid)})"
    return "another process"


def _listening_process(port: int) -> int | None:
    if sys.platform != "linux":
        return None
    inodes = {inode for table in ("tcp", "tcp6") for inode in _inodes(Path("/proc/net") / table, port)}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            with suppress(OSError):
                for descriptor in (folder / "fd").iterdir():
                    with suppress(OSError):
                        if str(descriptor.readlink()) in inodes:
                            return int(folder.name)
    return None


def _inodes(table: Path, port: int) -> set[str]:
    found: set[str] = set()
    with suppress(OSError):
        for line in table.read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == _LISTENING and int(fields[1].rpartition(":")[2], 16) == port:
                found.add(f"socket:[{fields[9]}]")
    return found


def _command(pid: int) -> str:
    with suppress(OSError):
        return Path(f"/proc/{pid}/comm").read_text().strip()
    return "its name is not readable"
