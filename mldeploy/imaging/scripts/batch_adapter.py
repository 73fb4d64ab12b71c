"""Azure ML batch: the files of a mini batch go to the entry script, in the style it is written for.

Runs inside the scoring image, where the scoring server is on the path. A run(mini_batch) gets the paths; other scripts
get each file as if it came over HTTP. A file that fails gives no row, which is what the deployment's error threshold
counts.
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
    # In front of all else, so that no module of the script's can hide the server's.
    folders = [folder for folder in ("/opt/serving", "/opt/site") if os.path.isdir(folder)]  # noqa: PTH112
    sys.path[:] = [*folders, *(entry for entry in sys.path if entry not in folders)]
    from serving.importing import make_importable
    from serving.script import Script
    from serving.shimming import add_shims

    make_importable(os.environ["SERVING_ENTRY_SCRIPT"], os.environ["SERVING_SOURCE_DIRECTORY"])
    add_shims()
    _script = Script(os.environ["SERVING_ENTRY_SCRIPT"])
    _script.init()


def run(mini_batch: Iterable[object]) -> Any:
    """Score files; returns the script's rows, or one JSON line for each file that succeeded."""
    from serving.batch.calls import Caller, score
    from serving.batch.plan import File, mini_batches
    from serving.batch.styles import style_of
    from serving.batch.tables import MIB, Amount

    assert _script is not None
    paths = [pathlib.Path(str(name)) for name in mini_batch]
    style = style_of(_script)
    if style == "mini_batch":
        # A list or a DataFrame of rows; Azure's driver writes either, and tries again what raises.
        return _script.run(**{_script.parameters[0].name: [str(path) for path in paths]})
    rows: list[Any] = []
    for path in paths:
        try:
            if style == "tabular":
                caller = Caller(_script, style, str(path.parent), [path.name])
                for batch in mini_batches(
                    path.parent, [File(path.name, 0, 0)], style, Amount(MIB, bytes=True)
                ):
                    result = caller.call(batch, lambda: None)
                    rows += [text[:-1] for _, text in result.parts]
                    for error in result.errors:
                        log.error("%s: %s", error["item"], error["error"])
            else:
                rows.append(
                    json.dumps({"file": path.name, "output": score(_script, path.name, path.read_bytes())})
                )
        except Exception:
            log.exception("%s could not be scored", path.name)
    return rows
