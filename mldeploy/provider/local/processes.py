"""Processes that outlive us: started detached, recognised in spite of reused ids, stopped gently first."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from mldeploy.provider.framework.resource import ProvisionError
from mldeploy.provider.local.claims import write_json
from mldeploy.provider.local.launch import birth

_POLL_SECONDS = 0.05
RECORD = "process.json"
_LAUNCHER = Path(__file__).with_name("launch.py")
# What a service may know of the environment it is started from: nothing that could be a secret.
_PASSED = (
    "HOME", "LANG", "LC_ALL", "LC_CTYPE", "LOGNAME", "PATH", "SHELL", "TMPDIR", "TZ", "USER",
    "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE",
    "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy", "CUDA_VISIBLE_DEVICES",
)  # fmt: skip


def clean_environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment for a service: what every program needs, and ``extra``."""
    return {name: os.environ[name] for name in _PASSED if name in os.environ} | dict(extra or {})


def start_detached(
    argv: Sequence[str], *, cwd: Path, env: Mapping[str, str], log: Path, again: Path | None = None
) -> int:
    """Start a process in a session of its own, standard input closed, output appended to ``log`` (mode 0600).

    Args:
        argv: program and arguments.
        cwd: its working directory.
        env: its whole environment.
        log: where its output goes.
        again: a file that will say how to start it again; the new process is recorded in ``process.json`` beside it.

    Returns:
        Its process id.

    Raises:
        ProvisionError: it cannot be started.
    """
    log.touch(mode=0o600)
    order = {"argv": list(argv), "cwd": str(cwd), "env": dict(env), "log": str(log)}
    if again is not None:
        write_json(again, order | {"record": str(again.with_name(RECORD))})
    made = subprocess.run(
        [sys.executable, "-I", "-S", str(_LAUNCHER)],
        input=json.dumps(order), capture_output=True, text=True, check=False, env=clean_environment(),
    )  # fmt: skip
    if made.returncode != 0:
        reason = (made.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise ProvisionError(f"{argv[0]} cannot be started: {reason}")
    return int(made.stdout)


def alive(pid: int, born: str) -> bool:
    """Whether this very process still runs."""
    return birth(pid) == born


def command_line(pid: int) -> list[str]:
    """A process's arguments; none when it is not there, or somebody else's."""
    if sys.platform == "linux":
        try:
            written = Path(f"/proc/{pid}/cmdline").read_bytes()
        except OSError:
            return []
        return [os.fsdecode(argument) for argument in written.split(b"\0")[:-1]]
    shown = subprocess.run(
        ["ps", "-ww", "-o", "command=", "-p", str(pid)], capture_output=True, text=True, check=False
    ).stdout
    return shown.split()


def wait_gone(pid: int, born: str, seconds: float) -> bool:
    """Wait for a process to end; says whether it did."""
    until = time.monotonic() + seconds
    while alive(pid, born):
        if time.monotonic() > until:
            return False
        time.sleep(_POLL_SECONDS)
    return True


def terminate(pid: int, born: str) -> None:
    """Ask a process to end."""
    if alive(pid, born):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)


def kill_group(pid: int, born: str) -> None:
    """Kill a process and what it started in its session, workers included."""
    if alive(pid, born):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(pid, signal.SIGKILL)
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        wait_gone(pid, born, 5)


def kill_session(session: int) -> None:
    """Kill what is left of a session whose leader died (workers of a killed replica)."""
    for pid in _session_members(session):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, signal.SIGKILL)


def _session_members(session: int) -> list[int]:
    found: list[int] = []
    if sys.platform == "linux":
        for folder in Path("/proc").iterdir():
            if folder.name.isdigit():
                with contextlib.suppress(OSError, ValueError, IndexError):
                    fields = (folder / "stat").read_text().rpartition(")")[2].split()
                    if int(fields[3]) == session and fields[0] not in "ZX":
                        found.append(int(folder.name))
        return found
    listed = subprocess.run(["ps", "-axo", "pid=,sess="], capture_output=True, text=True, check=False).stdout
    for line in listed.splitlines():
        pid, _, sess = line.strip().partition(" ")
        if sess.strip() == str(session):
            found.append(int(pid))
    return found
