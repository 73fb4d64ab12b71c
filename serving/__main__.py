"""`python -m serving --config replica.json`."""

import sys

from serving.master import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
