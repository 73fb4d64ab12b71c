"""Start a process that belongs to nobody: its own session, nothing inherited, reaped by the system.

Run as a script with a JSON object on its standard input: {argv, cwd, env, log}, and perhaps {record}, a file that
will say which process it is. Prints the process id. A process of its own does this because forking a process that has
threads is not safe, and because a child that ends unwaited stays as a zombie for as long as its parent lives.
Standard library only: it runs isolated.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys


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


def main() -> None:
    """Start what the standard input describes."""
    order = json.load(sys.stdin)
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
    if order.get("record"):
        temporary = f"{order['record']}.{process.pid}"
        with open(temporary, "w", opener=lambda path, flags: os.open(path, flags, 0o600)) as file:
            json.dump({"pid": process.pid, "born": birth(process.pid) or ""}, file)
        os.replace(temporary, order["record"])
    print(process.pid, flush=True)
    process.returncode = 0  # it goes on without us: no warning that it was not waited for


if __name__ == "__main__":
    main()
