"""`python -m serving.batch --input FOLDER --output FOLDER --entry-script score.py`, or this file itself."""

import os
import sys

if not __package__:
    # In place of this file's folder; the current one, where a script may have a `serving.py`, is not asked.
    sys.path[0] = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))  # noqa: PTH100, PTH118, PTH120

from serving.batch.job import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
