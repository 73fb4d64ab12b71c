"""Many services on a real API server: seconds for `up`, an `up` without changes, and a new model for one service.

    make test-kubernetes   # once: builds the control plane
    .venv/bin/python -m bench.kubernetes 50 100 300 [--json bench/results/kubernetes.json]

Pods are kwok's (they run nothing), so this measures the engine, the plugins and the API server. Prints a Markdown
table of wall seconds (CPU seconds of engine and plugins), and fails when an update of one service touches an object of
another one or when time does not grow linearly.
"""

from __future__ import annotations

import argparse
import json
import platform
import resource
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from tests.kubernetes.controlplane.cluster import running
from tests.kubernetes.project import ClusterProject, own_plugin, untouched

_LINEAR = 1.6
"""How much more CPU time per service the largest number may take than the smallest."""
_STEPS = {"up": "up", "no_op": "no-op up", "one_model": "one model", "destroy": "destroy"}


def _cpu() -> float:
    """User and system seconds of this process and of the plugins that have ended."""
    found = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(item.ru_utime + item.ru_stime for item in found)


def _timed(work: Callable[[], dict[str, int]]) -> tuple[dict[str, float], dict[str, int]]:
    started, cpu = time.monotonic(), _cpu()
    changes = work()
    return {"seconds": round(time.monotonic() - started, 1), "cpu": round(_cpu() - cpu, 1)}, changes


def measure(cluster, folder: Path, count: int) -> dict:
    """Seconds of each step for ``count`` services."""
    project = ClusterProject(folder / f"project{count}", cluster, "embedded", f"bench-{count}")
    for number in range(count):
        project.service(f"service-{number}")
    row: dict = {"services": count}
    row["up"], _ = _timed(project.up)
    row["resources"] = len(project.resources())
    row["no_op"], changes = _timed(project.up)
    if changes:
        raise SystemExit(f"an up without changes changed {changes}")
    before = untouched(project, "service-0")
    project.service("service-0", models={"diabetes": "2"})
    row["one_model"], row["one_model_changes"] = _timed(project.up)
    if untouched(project, "service-0") != before:
        raise SystemExit("the update of one service touched objects of another one")
    row["destroy"], _ = _timed(lambda: project.change("destroy", "--yes"))
    # At once: a run that is stopped keeps what it has measured.
    print(json.dumps(row), file=sys.stderr, flush=True)
    return row


def main(counts: list[int], file: Path | None) -> int:
    """Measure each number of services and print the table."""
    # Ended from outside, it still ends its cluster.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    with running(nodes=4) as cluster, tempfile.TemporaryDirectory(prefix="mldeploy-bench-") as folder:
        rows = [measure(cluster, Path(folder), count) for count in counts]
    print(f"| services | resources | {' | '.join(_STEPS.values())} |\n|{'---|' * (len(_STEPS) + 2)}")
    for row in rows:
        cells = [f"{row[key]['seconds']:g} ({row[key]['cpu']:g})" for key in _STEPS]
        print(f"| {row['services']} | {row['resources']} | {' | '.join(cells)} |")
    if file is not None:
        facts = {"date": datetime.now(UTC).date().isoformat(), "python": platform.python_version()}
        facts["plugin"] = "official" if own_plugin() else "stand-in"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps({**facts, "rows": rows}, indent=1) + "\n")
    small, large = rows[0], rows[-1]
    ratio = (large["up"]["cpu"] / large["services"]) / (small["up"]["cpu"] / small["services"])
    if ratio > _LINEAR:
        print(f"not linear: a service takes {ratio:.2f} times as long among many as among few")
        return 1
    return 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("counts", nargs="*", type=int, default=[50, 100, 300], help="numbers of services")
    parser.add_argument("--json", type=Path, help="write the figures to a file")
    given = parser.parse_args()
    raise SystemExit(main(given.counts, given.json))
