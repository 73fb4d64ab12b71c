"""The `mldeploy` command."""

from __future__ import annotations

import sys

from mldeploy.cli.app import run


def main() -> None:
    """Console entry point. Exit codes: 0 done, 1 the operation failed, 2 bad input."""
    sys.exit(run(sys.argv[1:]))
