"""`python -m tests.kubernetes.suite`: everything that `make test-kubernetes` runs.

Builds the control plane when the cache has none, fetches what real containers need, and runs the cluster tests in two
parts at once, each in a network namespace and on a cluster of its own: most of the time they wait for pods.

    python -m tests.kubernetes.suite [pytest arguments]
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

from tests.kubernetes import real_node
from tests.kubernetes.controlplane import build

_REAL = "tests/kubernetes/test_real_pods.py"
_PARTS = {
    "real containers": [_REAL],
    "everything else": ["tests/kubernetes", f"--ignore={_REAL}"],
}


def _start(paths: list[str], arguments: list[str], output: Path) -> subprocess.Popen[bytes]:
    pytest = [sys.executable, "-m", "pytest", "-m", "kubernetes", "-p", "no:cacheprovider"]
    command = [sys.executable, "-m", "tests.kubernetes.isolated", *pytest, *paths, *arguments]
    with output.open("wb") as file:
        return subprocess.Popen(command, stdout=file, stderr=subprocess.STDOUT)


def main(arguments: list[str]) -> int:
    """Run all; what each part printed comes when it has ended. The exit code is that of the first part that failed."""
    try:
        print(build.build(), flush=True)
    except RuntimeError as error:
        print(error, file=sys.stderr)
        return 1
    reason = real_node.why_not()
    if reason:
        # Without it the tests with real containers skip themselves and say so; the others run.
        print(f"no real containers: {reason}", file=sys.stderr)
    else:
        real_node.prepare()
    codes: list[int] = []
    with tempfile.TemporaryDirectory(prefix="mldeploy-suite-") as folder:
        logs = {name: Path(folder, name) for name in _PARTS}
        running = {name: _start(paths, arguments, logs[name]) for name, paths in _PARTS.items()}
        for name, process in running.items():
            codes.append(process.wait())
            print(f"\n== {name}\n{logs[name].read_text(errors='replace')}", flush=True)
    return next((code for code in codes if code), 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
