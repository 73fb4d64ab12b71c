"""`python -m tests.azure.standin [engine]`: the plugin process."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from tests.azure.standin.servicer import StandIn
from tests.standin import serve


def main() -> int:
    folder = os.environ.get("STANDIN_FOLDER")
    if not folder:
        print(
            "STANDIN_FOLDER is not set: this is the tests' stand-in for azure-native, not the plugin",
            file=sys.stderr,
        )
        return 1
    return serve(StandIn(Path(folder)))


raise SystemExit(main())
