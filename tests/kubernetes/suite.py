"""`python -m tests.kubernetes.suite`: everything that `make test-kubernetes` runs.

Builds the control plane when the cache has none, fetches what real containers need, and runs the cluster tests in three
parts at once, each in a network namespace and on a cluster of its own: most of the time they wait for pods.

    python -m tests.kubernetes.suite [pytest arguments]
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.kubernetes import real_node
from tests.kubernetes.controlplane import build

_REAL = "real containers"
_TESTS = Path("tests/kubernetes")
_PARTS: dict[str, list[Path | str]] = {
    _REAL: [_TESTS / "test_real_pods.py"],
    "whole stacks": [_TESTS / f"test_{name}.py" for name in ("lifecycle", "manifest_stack", "traffic")],
}
_PARTS["everything else"] = [
    _TESTS,
    *(f"--ignore={file}" for files in list(_PARTS.values()) for file in files),
]


def _start(paths: list[Path | str], arguments: list[str], output: Path) -> subprocess.Popen[bytes]:
    pytest = [sys.executable, "-m", "pytest", "-m", "kubernetes", "-p", "no:cacheprovider"]
    command = [sys.executable, "-m", "tests.kubernetes.isolated", *pytest, *map(str, paths), *arguments]
    with output.open("wb") as file:
        return subprocess.Popen(command, stdout=file, stderr=subprocess.STDOUT)


def main(arguments: list[str]) -> int:
    """Run all; what each part printed comes when it has ended. The exit code is that of the first part that failed."""
    if build.why_not() and shutil.which("go") is None:
        print(
            "test-kubernetes skipped: the control plane is built from Go modules, install Go (https://go.dev/dl)"
        )
        return 0
    try:
        print(build.build(), flush=True)
    except RuntimeError as error:
        print(error, file=sys.stderr)
        return 1
    reason = real_node.why_not() or real_node.prepare()
    if reason:
        # Without it the tests with real containers skip themselves and say so; the others run.
        print(f"no real containers: {reason}", flush=True)
        return _run({name: paths for name, paths in _PARTS.items() if name != _REAL}, arguments)
    return _run(_PARTS, arguments)


def _run(parts: dict[str, list[Path | str]], arguments: list[str]) -> int:
    codes: list[int] = []
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="mldeploy-suite-") as folder:
        logs = {name: Path(folder, name) for name in parts}
        running = {name: _start(paths, arguments, logs[name]) for name, paths in parts.items()}
        for name, process in running.items():
            codes.append(process.wait())
            seconds = time.monotonic() - started
            print(f"\n== {name} ({seconds:.0f} s)\n{logs[name].read_text(errors='replace')}", flush=True)
    return next((code for code in codes if code), 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
