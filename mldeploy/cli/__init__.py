"""The `mldeploy` command."""

from __future__ import annotations

import os
import sys

_INTERRUPTED = 130


def main() -> None:
    """Console entry point. Exit codes: 0 done, 1 the operation failed, 2 bad input, 130 interrupted."""
    try:
        code = _run(sys.argv[1:])
    except KeyboardInterrupt:
        code = _INTERRUPTED
    sys.exit(code)


def _run(arguments: list[str]) -> int:
    # Imported here: loading takes long enough to be interrupted.
    from mldeploy.cli import completion
    from mldeploy.cli.catalog import overview

    if completion.asked():
        if (found := completion.answer(os.environ)) is not None:
            print(found)
            return 0
    elif arguments in ([], ["-h"], ["--help"]):
        print(overview(), file=sys.stdout if arguments else sys.stderr)
        return 0 if arguments else 2
    elif arguments == ["--version"]:
        from importlib.metadata import version

        print(f"mldeploy {version('mldeploy')}")
        return 0
    from mldeploy.cli.app import run

    return run(arguments)
