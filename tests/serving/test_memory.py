"""Freed memory is kept for the next request, unless somebody chose otherwise."""

from __future__ import annotations

import platform
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROGRAM = """
import resource
from serving import memory
memory.keep_freed()
text = b"x" * 4_000_000
faults = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(100):
    bytes(bytearray(text))
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - faults)
"""


def faults(**environ: str) -> int:
    command = [sys.executable, "-c", PROGRAM]
    return int(
        subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, check=True, text=True).stdout
    )


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="needs glibc")
def test_large_bodies_do_not_take_their_memory_from_the_kernel_again_and_again() -> None:
    pages = 4_000_000 // 4096
    assert faults() < 10 * pages
    assert faults(MALLOC_TRIM_THRESHOLD_="131072", MALLOC_MMAP_THRESHOLD_="131072") > 100 * pages
