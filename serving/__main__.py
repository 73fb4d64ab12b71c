"""`python -m serving --config replica.json`, or this file: then nothing in the current folder can hide the server."""

import os
import sys

_FOLDER = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))  # noqa: PTH100, PTH120 (nothing is safe to import)
if getattr(sys.flags, "safe_path", False):
    sys.path.insert(0, _FOLDER)
else:
    # Python put the current folder there, or this file's.
    sys.path[0] = _FOLDER

from serving.master import main  # noqa: E402

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
