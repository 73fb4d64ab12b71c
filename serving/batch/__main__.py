"""`python -m serving.batch --input FOLDER --output FOLDER --entry-script score.py`."""

import sys

from serving.batch.job import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
