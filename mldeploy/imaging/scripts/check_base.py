"""Runs first in a build: stops it when the base image cannot hold a service. Standard library only."""

import pathlib
import sys

LEAST, MOST = (3, 10), (3, 13)
OLDEST_UBUNTU = (16, 4)


def faults() -> "list[str]":
    found: list[str] = []
    if not LEAST <= sys.version_info[:2] <= MOST:
        found.append(
            "the base image has Python %d.%d; allowed: 3.10 to 3.13" % sys.version_info[:2]  # noqa: UP031
        )
    release = pathlib.Path("/etc/os-release")
    values = dict(
        line.split("=", 1) for line in release.read_text().splitlines() if "=" in line
    ) if release.is_file() else {}  # fmt: skip
    if values.get("ID", "").strip('"') == "ubuntu":
        version = tuple(int(part) for part in values.get("VERSION_ID", '"0"').strip('"').split("."))
        if version < OLDEST_UBUNTU:
            found.append("the base image is Ubuntu %s; allowed: 16.04 or later" % ".".join(map(str, version)))  # noqa: UP031
    try:
        import pip  # noqa: F401 # pyright: ignore
    except ImportError:
        found.append(
            "the base image has no pip for its `python`; allowed: an image with Python and pip, or with conda"
        )
    return found


if __name__ == "__main__":
    for fault in faults():
        print(f"base image: {fault}", file=sys.stderr)
    sys.exit(1 if faults() else 0)
