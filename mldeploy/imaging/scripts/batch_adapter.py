"""Azure ML batch: one call of the entry script's run() for each file of a mini batch.

Runs inside the scoring image, where the scoring server is on the path: bodies and answers are treated exactly as over
HTTP. A file that fails gives no row, which is what the deployment's error threshold counts.
"""

import json
import logging
import os
import pathlib
import sys
from collections.abc import Iterable
from typing import Any

log = logging.getLogger("mldeploy.batch")
_script: Any = None


def init() -> None:
    """Load the entry script of the image and call its init()."""
    global _script  # noqa: PLW0603 -- the driver calls plain functions
    for folder in ("/opt/site", "/opt/serving"):
        if folder not in sys.path and os.path.isdir(folder):  # noqa: PTH112
            sys.path.insert(0, folder)
    from serving.script import Script
    from serving.shimming import add_shims

    add_shims()
    sys.path.insert(0, os.environ["SERVING_SOURCE_DIRECTORY"])
    _script = Script(os.environ["SERVING_ENTRY_SCRIPT"])
    _script.init()


def run(mini_batch: Iterable[object]) -> list[str]:
    """Score files; returns one JSON line for each that succeeded."""
    from serving.batch.calls import score

    assert _script is not None
    rows: list[str] = []
    for name in mini_batch:
        path = pathlib.Path(str(name))
        try:
            rows.append(
                json.dumps({"file": path.name, "output": score(_script, path.name, path.read_bytes())})
            )
        except Exception:
            log.exception("%s could not be scored", path.name)
    return rows
