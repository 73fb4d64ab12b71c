"""What a server's processes use, from /proc."""

from __future__ import annotations

import os
import re
from pathlib import Path


def family(pid: int) -> list[int]:
    """A process and its descendants."""
    found = [pid]
    for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
        found += family(int(child))
    return found


def cpu_seconds(pid: int) -> float:
    """CPU time of a server's processes."""
    total = 0
    for one in family(pid):
        fields = Path(f"/proc/{one}/stat").read_text().rpartition(")")[2].split()
        total += int(fields[11]) + int(fields[12])
    return total / os.sysconf("SC_CLK_TCK")


def memory_mb(pid: int) -> float:
    """Proportional set size of a server's processes."""
    return round(sum(_number(f"/proc/{one}/smaps_rollup", "Pss") for one in family(pid)) / 1024, 1)


def context_switches(pid: int) -> int:
    """How often the threads of a server's processes went to sleep, and so were woken."""
    threads = [task for one in family(pid) for task in Path(f"/proc/{one}/task").iterdir()]
    return sum(_number(f"{task}/status", "voluntary_ctxt_switches") for task in threads)


def _number(file: str, name: str) -> int:
    found = re.search(rf"^{name}:\s+(\d+)", Path(file).read_text(), re.MULTILINE)
    return int(found[1]) if found else 0
