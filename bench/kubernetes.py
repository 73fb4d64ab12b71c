"""Many services on a real API server: seconds for `up`, an `up` without changes, and a new model for one service.

    make test-kubernetes   # once: builds the control plane
    .venv/bin/python -m bench.kubernetes 50 100 300

Pods are kwok's (they run nothing), so this measures the engine, the plugins and the API server. Prints a Markdown
table, and fails when an update of one service touches an object of another one or when time does not grow linearly.
"""

from __future__ import annotations

import signal
import sys
import tempfile
import time
from pathlib import Path

from tests.kubernetes.controlplane.cluster import running
from tests.kubernetes.project import ClusterProject

_LINEAR = 1.6
"""How much longer per service the largest number may take than the smallest."""


def _timed(work) -> tuple[float, dict[str, int]]:
    started = time.monotonic()
    changes = work()
    return time.monotonic() - started, changes


def _generations(project: ClusterProject) -> dict[str, str]:
    """The resource version of every Deployment, Service, Secret and route of the project, without those of
    `service-0`."""
    found = {}
    for kind in ("Deployment", "Service", "Secret", "PodDisruptionBudget"):
        for item in project.api.list(kind, project.namespace, labels="mldeploy.dev/service"):
            if item["metadata"]["labels"]["mldeploy.dev/service"] != "service-0":
                generation = item["metadata"].get("generation", item["metadata"]["resourceVersion"])
                found[f"{kind}/{item['metadata']['name']}"] = str(generation)
    return found


def measure(cluster, folder: Path, count: int) -> tuple[int, float, float, float, float]:
    """(services, seconds of up, no-op up, one model's update, destroy)."""
    project = ClusterProject(folder / f"project{count}", cluster, "embedded", f"bench-{count}")
    for number in range(count):
        project.service(f"service-{number}")
    first, _ = _timed(project.up)
    idle, changes = _timed(project.up)
    if changes:
        raise SystemExit(f"an up without changes changed {changes}")
    before = _generations(project)
    project.service("service-0", models={"diabetes": "2"})
    one, changes = _timed(project.up)
    if _generations(project) != before:
        raise SystemExit("the update of one service touched objects of another one")
    gone, _ = _timed(lambda: project.change("destroy", "--yes"))
    # At once: a run that is stopped keeps what it has measured.
    print(
        f"{count} services: {first:.1f} {idle:.1f} {one:.1f} {gone:.1f} s; one model: {changes}",
        file=sys.stderr,
        flush=True,
    )
    return count, first, idle, one, gone


def main(counts: list[int]) -> int:
    """Measure each number of services and print the table."""
    # Ended from outside, it still ends its cluster.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    with running(nodes=4) as cluster, tempfile.TemporaryDirectory(prefix="mldeploy-bench-") as folder:
        rows = [measure(cluster, Path(folder), count) for count in counts]
    print("| services | up s | no-op up s | one model s | destroy s |\n|---|---|---|---|---|")
    for count, *seconds in rows:
        print(f"| {count} | " + " | ".join(f"{value:.1f}" for value in seconds) + " |")
    ratio = (rows[-1][1] / rows[-1][0]) / (rows[0][1] / rows[0][0])
    if ratio > _LINEAR:
        print(
            f"not linear: a service takes {ratio:.2f} times as long with {rows[-1][0]} as with {rows[0][0]}"
        )
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main([int(text) for text in sys.argv[1:]] or [50, 100, 300]))
