"""`python -m tests.kubernetes.isolated COMMAND…`: run a command in a network namespace of its own.

In it only loopback exists, with the pods' addresses on it: test pods have addresses of their own, and nothing that
a test does leaves this machine. Needs root, or a kernel that gives user namespaces to everybody.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

PODS = "10.244.0.0/16"
MARK = "MLDEPLOY_TEST_NAMESPACE"
_INSIDE = f'ip link set lo up && ip route add local {PODS} dev lo && exec "$@"'


def why_not() -> str | None:
    """Why no namespace can be made here, or None when one can."""
    for tool in ("unshare", "ip"):
        if shutil.which(tool) is None:
            return f"needs {tool} (Debian packages util-linux and iproute2)"
    done = subprocess.run([*_unshare(), "true"], capture_output=True, text=True, check=False)
    return None if done.returncode == 0 else f"cannot make a network namespace: {done.stderr.strip()}"


def inside() -> bool:
    """Whether this process runs in one."""
    return os.environ.get(MARK) == "1"


def _unshare() -> list[str]:
    return ["unshare", "--net"] if os.geteuid() == 0 else ["unshare", "--net", "--map-root-user"]


if __name__ == "__main__":
    problem = why_not()
    if problem:
        # Without it the tests with answering pods skip themselves and say so; the others run.
        print(f"not isolated: {problem}", file=sys.stderr)
        os.execvp(sys.argv[1], sys.argv[1:])
    os.environ[MARK] = "1"
    os.execvp("unshare", [*_unshare(), "sh", "-c", _INSIDE, "sh", *sys.argv[1:]])
