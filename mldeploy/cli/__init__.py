"""The `mldeploy` command."""

from __future__ import annotations

import sys

_INTERRUPTED = 130


def main() -> None:
    """Console entry point. Exit codes: 0 done, 1 the operation failed, 2 bad input, 130 interrupted."""
    try:
        # Here: loading takes long enough to be interrupted.
        from mldeploy.cli.app import run

        code = run(sys.argv[1:])
    except KeyboardInterrupt:
        code = _INTERRUPTED
    sys.exit(code)
