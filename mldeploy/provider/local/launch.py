"""Start a process that belongs to nobody: its own session, nothing inherited, reaped by the system.

Run as a script with a JSON object on its standard input: {argv, cwd, env, log}. Prints the process id. A
process of its own does this because forking a process that has threads is not safe, and because a child that
ends unwaited stays as a zombie for as long as its parent lives. Standard library only: it runs isolated.
"""

import json
import subprocess
import sys


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
    print(process.pid, flush=True)
    process.returncode = 0  # it goes on without us: no warning that it was not waited for


main()
