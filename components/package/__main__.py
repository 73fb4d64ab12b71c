"""The package as a plugin in source form: Pulumi's Python language host runs this folder."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # this folder is first, and holds no package

from mldeploy.provider.__main__ import main

if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
