"""Make a virtual environment with a supported Python, whatever `python3` happens to be.

    python3 scripts/make_venv.py .venv

Tries the running interpreter, then python3.13, 3.12 and 3.11 on PATH. Needs nothing but the standard library.
"""

import shutil
import subprocess
import sys

OLDEST, NEWEST = (3, 11), (3, 13)
CHECK = f"import sys; sys.exit(not ({OLDEST} <= sys.version_info[:2] <= {NEWEST}))"


def works(executable: str) -> bool:
    """Whether this interpreter runs and is of a supported version (a shim may exist and refuse to run)."""
    return subprocess.run([executable, "-c", CHECK], capture_output=True, check=False).returncode == 0


def main() -> int:
    found = [shutil.which(f"python3.{minor}") for minor in range(NEWEST[1], OLDEST[1] - 1, -1)]
    for executable in [sys.executable, *filter(None, found)]:
        if works(executable):
            return subprocess.run([executable, "-m", "venv", sys.argv[1]], check=False).returncode
    print("mldeploy needs Python 3.11, 3.12 or 3.13; none was found on PATH", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
