"""How long a plan takes for many models and services on ACI:

    python bench/azure_plan.py [--sizes 75 150 300] [--repeat 2] [--json bench/results/azure_plan.json]

Each size is planned by the embedded engine without the plugin, in a process and a folder of its own. Small stand-in
models and one script are used, so that the figure is about the plan and not about hashing.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))


def write(root: Path, count: int) -> None:
    """A project with ``count`` models, images and services."""
    (root / "scripts").mkdir(parents=True)
    (root / "models").mkdir()
    (root / "scripts/score.py").write_text("def init(): pass\n\ndef run(data): return data\n")
    names = [f"m{index:03d}" for index in range(count)]
    for name in names:
        (root / "models" / name).write_text(name)
    manifest = {
        "version": 1,
        "azure": {"builder": "acr"},
        "models": {name: {"source": f"models/{name}"} for name in names},
        "images": {
            name: {"models": [name], "source_directory": "scripts", "entry_script": "score.py"}
            for name in names
        },
        "targets": {"devtest": {"type": "aci", "location": "westeurope"}},
        "services": {name: {"image": name, "target": "devtest"} for name in names},
    }
    (root / "manifest.yaml").write_text(yaml.safe_dump(manifest))
    settings = yaml.safe_load((ROOT / "Pulumi.yaml").read_text())
    settings["plugins"]["providers"][0]["path"] = str(ROOT / "mldeploy/provider/bin")
    settings.pop("backend", None)
    (root / "Pulumi.yaml").write_text(yaml.safe_dump(settings))
    (root / "Pulumi.dev.yaml").write_text("config: {}\n")
    (root / "__main__.py").write_bytes((ROOT / "__main__.py").read_bytes())


def child(folder: str) -> None:
    """Plan once; print what it took."""
    from mldeploy.engine.base.options import Options
    from mldeploy.engine.core.engine import Engine

    (Path(folder) / "state").mkdir(exist_ok=True)
    start, cpu = time.perf_counter(), time.process_time()
    engine = Engine(
        Path(folder) / "project", "dev", backend_url=(Path(folder) / "state").as_uri(), passphrase="bench"
    )
    result = engine.preview(Options())
    print(
        json.dumps(
            {
                "ok": result.ok,
                "error": result.error,
                "resources": sum(result.changes.values()),
                "seconds": time.perf_counter() - start,
                "cpu": time.process_time() - cpu,
                "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
            }
        )
    )


def measure(count: int) -> dict:
    """The plan of ``count`` models and services, in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        write(Path(folder) / "project", count)
        environment = {**os.environ, "MLDEPLOY_HOME": str(Path(folder) / "home")}
        done = subprocess.run(
            [sys.executable, __file__, "--child", folder],
            capture_output=True, text=True, check=True, env=environment,
        )  # fmt: skip
        found = json.loads(done.stdout.splitlines()[-1])
    if not found["ok"]:
        raise SystemExit(found["error"])
    print(
        f"{count:4} models and services, {found['resources']:5} resources: {found['seconds']:6.1f} s "
        f"({found['cpu']:.1f} s CPU, {1000 * found['cpu'] / found['resources']:.1f} ms a resource), "
        f"peak {found['peak_mb']:.0f} MB",
        flush=True,
    )
    return found


def bench(sizes: list[int], repeat: int) -> dict:
    """The least processor time of ``repeat`` runs for each size, and whether it grows faster than the number."""
    found = {}
    for count in sizes:
        runs = [measure(count) for _ in range(repeat)]
        best = min(runs, key=lambda run: run["cpu"])
        found[str(count)] = {
            "resources": best["resources"],
            "seconds": round(min(run["seconds"] for run in runs), 2),
            "cpu": round(best["cpu"], 2),
            "cpu_ms_per_resource": round(1000 * best["cpu"] / best["resources"], 2),
            "peak_mb": round(max(run["peak_mb"] for run in runs), 1),
        }
    least, most = found[str(min(sizes))], found[str(max(sizes))]
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "python": platform.python_version(),
        "processors": os.cpu_count(),
        "repeat": repeat,
        "sizes": found,
        # 1 is linear; below that, what every plan needs once is spread over more resources.
        "linearity": round(most["cpu_ms_per_resource"] / least["cpu_ms_per_resource"], 2),
    }


def main() -> int:
    """Print one line a run; with --json write the figures."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sizes", type=int, nargs="+", default=[75, 150, 300])
    parser.add_argument("--repeat", type=int, default=2)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    found = bench(arguments.sizes, arguments.repeat)
    print(f"processor time per resource, largest to smallest: {found['linearity']:.2f}")
    if arguments.json:
        arguments.json.write_text(json.dumps(found, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    if sys.argv[1:2] == ["--child"]:
        child(sys.argv[2])
    else:
        raise SystemExit(main())
