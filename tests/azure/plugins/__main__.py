"""`python -m tests.azure.plugins mldeploy|kubernetes [engine]`: a plugin process for the CLI."""

from __future__ import annotations

import os
import sys
from pathlib import Path


def main(name: str, arguments: list[str]) -> int:
    if name == "kubernetes":
        from tests.azure.kube_echo import KubeEcho
        from tests.standin import serve

        return serve(KubeEcho())
    from mldeploy.provider.__main__ import main as provider
    from tests.azure import fakes

    fakes.registry(setattr, Path(os.environ["STANDIN_FOLDER"]))
    fakes.clusters(setattr)
    return provider(arguments)


raise SystemExit(main(sys.argv[1], sys.argv[2:]))
