"""``python -m mldeploy``."""

from mldeploy.cli import main

main()
