"""What the embedded engine costs: `python bench/engine.py [--sizes 300 1000 3000] [--cli] [--json FILE]`.

Each figure is a ratio of two measurements of the same run, so that it means the same on every machine:

- overhead: the program on the engine / the program against a monitor that answers at once (`bare`, the SDK as the
  CLI's language host runs it)
- own_ms: processor milliseconds for each resource beyond those of the SDK as the engine runs it (`tuned`)
- linearity: processor seconds per resource at the largest size / at the smallest
- cli: whole processes, the CLI's first and no-op `up` / ours, at 1,000 resources (needs `pulumi` on PATH)

Every measurement runs in a process of its own; each pair is measured `--repeat` times, the best of each counts.
"""

from __future__ import annotations

import argparse
import json
import os
import resource as rusage
import shutil
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

PROGRAM = """
import pulumi
from tp import Res
last = None
for i in range({count}):
    opts = pulumi.ResourceOptions(depends_on=[last] if last is not None and i % 10 else None)
    last = Res(f"r{{i}}", opts=opts, value=i, tags={{"team": "ml", "index": str(i)}}, sizes=[1, 2, 3])
pulumi.export("count", {count})
"""


class Clock:
    """Wall time, and processor time: the second means the same on a busy machine."""

    def __init__(self) -> None:
        self._wall, self._cpu = time.perf_counter(), time.process_time()

    def read(self) -> dict:
        return {"seconds": time.perf_counter() - self._wall, "cpu": time.process_time() - self._cpu}


class InstantMonitor:
    """Answers every registration at once with its own inputs."""

    def __init__(self) -> None:
        from mldeploy.engine.base.proto import EMPTY, resource

        self._resource, self._empty = resource, EMPTY

    def GetDeploymentInfo(self, request):
        names = (
            "SECRETS",
            "RESOURCE_REFERENCES",
            "OUTPUT_VALUES",
            "ALIAS_SPECS",
            "DELETED_WITH",
            "TRANSFORMS",
        )
        features = [getattr(self._resource, f"RESOURCE_MONITOR_FEATURE_{n}") for n in names]
        return self._resource.DeploymentInfo(project="bench", stack="dev", supportedFeatures=features)

    def RegisterResource(self, request):
        urn = f"urn:pulumi:dev::bench::{request.type}::{request.name}"
        id_ = request.name if request.custom else ""
        return self._resource.RegisterResourceResponse(urn=urn, id=id_, object=request.object)

    def RegisterResourceOutputs(self, request):
        return self._empty

    def SignalAndWaitForShutdown(self, request):
        return self._empty


class InstantEngine:
    """The SDK logs here and says which resource is the root."""

    def __init__(self) -> None:
        from mldeploy.engine.base.proto import EMPTY, engine

        self._empty, self._engine = EMPTY, engine

    def Log(self, request):
        return self._empty

    def SetRootResource(self, request):
        return self._engine.SetRootResourceResponse()


class InstantProvider:
    """A provider without an outside, to measure the engine and nothing else."""

    def __init__(self) -> None:
        from mldeploy.engine.base.proto import EMPTY, provider

        self._p, self._empty = provider, EMPTY

    def CheckConfig(self, request, context):
        return self._p.CheckResponse(inputs=request.news)

    def DiffConfig(self, request, context):
        return self._p.DiffResponse(changes=self._p.DiffResponse.DIFF_NONE)

    def Configure(self, request, context):
        return self._p.ConfigureResponse(acceptSecrets=True, supportsPreview=True, acceptResources=True)

    def Check(self, request, context):
        return self._p.CheckResponse(inputs=request.news)

    def Diff(self, request, context):
        same = request.old_inputs == request.news
        kind = self._p.DiffResponse
        return kind(changes=kind.DIFF_NONE if same else kind.DIFF_SOME)

    def Create(self, request, context):
        return self._p.CreateResponse(id=request.urn, properties=request.properties)

    def Delete(self, request, context):
        return self._empty


def _project(folder: Path, count: int) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copy(ROOT / "tests/engine/programs/tp.py", folder / "tp.py")
    (folder / "__main__.py").write_text(PROGRAM.format(count=count))
    plugin = ROOT / "tests/engine/bin"
    (folder / "Pulumi.yaml").write_text(
        f"name: bench\nruntime: python\nplugins:\n  providers:\n    - name: tp\n      path: {plugin}\n"
    )


def measure_bare(folder: Path) -> dict:
    """The SDK by itself, run as the CLI's language host runs it."""
    import asyncio
    import runpy
    from concurrent.futures import ThreadPoolExecutor

    import pulumi

    monitor = InstantMonitor()
    clock = Clock()
    settings = pulumi.runtime.Settings(
        project="bench", stack="dev", monitor=monitor, engine=InstantEngine(), parallel=16, dry_run=False
    )
    pulumi.runtime.configure(settings)
    sys.path.insert(0, str(folder))
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    executor = ThreadPoolExecutor(max_workers=64)
    loop.set_default_executor(executor)
    loop.run_until_complete(
        pulumi.runtime.run_in_stack(lambda: runpy.run_path(str(folder), run_name="__main__"))
    )
    executor.shutdown()
    loop.close()
    return clock.read()


def measure_tuned(folder: Path) -> dict:
    """The SDK as the engine runs it (see `mldeploy.engine.program.sdk_tuning`)."""
    import pulumi  # noqa: F401 - not part of the measurement

    from mldeploy.engine.program.program import ProgramSettings, run_program
    from mldeploy.engine.project.config import StackConfig

    settings = ProgramSettings("bench", "dev", folder, folder, folder, StackConfig(folder / "x"), False, 16)
    monitor, engine = InstantMonitor(), InstantEngine()
    clock = Clock()
    ended = run_program(settings, monitor, engine, lambda made: None)
    assert not ended.error, ended.error
    return clock.read()


def measure_engine(folder: Path, command: str) -> dict:
    import pulumi  # noqa: F401

    from mldeploy.engine import Engine, Options

    engine = Engine(
        folder,
        "dev",
        backend_url=f"file://{folder}/state",
        passphrase="bench",
        providers={"tp": InstantProvider},
    )
    # Deriving the key from the passphrase takes a fixed half second, once for each process.
    from mldeploy.engine.state.stack import open_stack

    opened = open_stack(engine.backend, engine.reference, engine.project, "bench")
    if opened.manager is not None:
        assert opened.manager.crypter
    clock = Clock()
    result = getattr(engine, command)(Options())
    figures = clock.read()
    assert result.ok, result.error
    peak = rusage.getrusage(rusage.RUSAGE_SELF).ru_maxrss * 1024
    return {**figures, "peak_bytes": peak, "changes": result.changes}


def _in_process(*args: str) -> dict:
    done = subprocess.run(
        [sys.executable, __file__, "--one", *args], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise SystemExit(done.stderr)
    return json.loads(done.stdout.splitlines()[-1])


ENGINE_RUNS = {"preview": "preview", "create": "up", "no-op": "up"}


def _measure_size(folder: Path, count: int, repeat: int) -> dict:
    """The best of each figure at one size."""
    best: dict[str, float] = {}
    cpu: dict[str, float] = {}
    peak = 0
    for _ in range(repeat):
        shutil.rmtree(folder / "state", ignore_errors=True)
        runs = {name: _in_process(name, str(folder)) for name in ("bare", "tuned")}
        for name, command in ENGINE_RUNS.items():
            runs[name] = _in_process(command, str(folder))
        peak = max(peak, runs["no-op"]["peak_bytes"])
        for name, run in runs.items():
            best[name] = min(best.get(name, 1e9), run["seconds"])
            cpu[name] = min(cpu.get(name, 1e9), run["cpu"])
    return {
        "seconds": {k: round(v, 3) for k, v in best.items()},
        "cpu": {k: round(v, 3) for k, v in cpu.items()},
        "overhead": {k: round(best[k] / best["bare"], 2) for k in ENGINE_RUNS},
        "cpu_overhead": {k: round(cpu[k] / cpu["bare"], 2) for k in ENGINE_RUNS},
        "own_ms": {k: round((cpu[k] - cpu["tuned"]) / count * 1000, 2) for k in ENGINE_RUNS},
        "peak_mb": round(peak / 2**20, 1),
    }


def bench(sizes: list[int], repeat: int, *, cli: bool) -> dict:
    report: dict = {
        "date": datetime.now(UTC).date().isoformat(),
        "python": sys.version.split()[0],
        "processors": os.cpu_count(),
        "repeat": repeat,
        "sizes": {},
    }
    with tempfile.TemporaryDirectory() as temporary:
        for count in sizes:
            folder = Path(temporary) / str(count)
            _project(folder, count)
            entry = report["sizes"][count] = _measure_size(folder, count, repeat)
            print(count, json.dumps(entry), flush=True)
            if cli and count == 1000:
                report["cli"] = _cli(folder, repeat)
                print("cli", json.dumps(report["cli"]), flush=True)
    if len(sizes) < 2:
        return report
    small, large = min(sizes), max(sizes)
    per = {n: report["sizes"][n]["cpu"] for n in (small, large)}
    report["linearity"] = {k: round(per[large][k] / large / (per[small][k] / small), 2) for k in per[small]}
    report["mb_per_1000"] = round(
        (report["sizes"][large]["peak_mb"] - report["sizes"][small]["peak_mb"]) / (large - small) * 1000, 1
    )
    print("linearity", json.dumps(report["linearity"]), "MB per 1,000:", report["mb_per_1000"])
    return report


def _cli(folder: Path, repeat: int) -> dict:
    """Wall time of whole processes with the same plugin: the CLI's first and no-op `up` against ours."""
    env = {
        **os.environ,
        "PULUMI_CONFIG_PASSPHRASE": "bench",
        "PULUMI_SKIP_UPDATE_CHECK": "1",
        "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "TP_PYTHON": sys.executable,
    }
    version = subprocess.run(["pulumi", "version"], env=env, check=True, capture_output=True, text=True)
    commands = {
        "cli": ["pulumi", "up", "--yes", "--skip-preview", "--stack", "dev"],
        "ours": [sys.executable, __file__, "--one", "whole", str(folder)],
    }
    report: dict = {"version": version.stdout.strip()}
    times: dict[str, dict[str, float]] = {}
    for name, command in commands.items():
        state = folder / f"{name}-state"
        state.mkdir()
        own = {**env, "PULUMI_BACKEND_URL": f"file://{state}", "TP_ROOT": str(folder / f"{name}-objects")}
        if name == "cli":
            init = ["pulumi", "stack", "init", "dev"]
            subprocess.run(init, cwd=folder, env=own, check=True, capture_output=True)
        taken: list[float] = []
        for _ in range(1 + repeat):
            started = time.perf_counter()
            subprocess.run(command, cwd=folder, env=own, check=True, capture_output=True)
            taken.append(time.perf_counter() - started)
        times[name] = {"create": taken[0], "no-op": min(taken[1:])}
        report[name] = {k: round(v, 2) for k, v in times[name].items()}
    report["ratio"] = {k: round(times["cli"][k] / times["ours"][k], 1) for k in ("create", "no-op")}
    return report


def whole_up(folder: Path) -> dict:
    """What `mldeploy up` does in a process of its own: all of its imports, key derivation, display, the plugin."""
    import mldeploy.cli  # noqa: F401 - part of the measurement
    from mldeploy.engine import Engine, Options
    from mldeploy.engine.display import make_display

    display = make_display("up", diff=False)
    engine = Engine(folder, "dev", sink=display)
    result = engine.up(Options())
    display.close(result)
    assert result.ok and len(result.changes) == 1, (result.error, result.changes)
    return {"changes": result.changes}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sizes", type=int, nargs="+", default=[300, 1000, 3000])
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--cli", action="store_true", help="compare with the CLI on PATH")
    parser.add_argument("--json", type=Path, help="write the figures to a file")
    parser.add_argument("--one", nargs="+", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.one:
        what, folder = args.one[0], Path(args.one[1])
        single = {"bare": measure_bare, "tuned": measure_tuned, "whole": whole_up}
        figures = single[what](folder) if what in single else measure_engine(folder, what)
        print(json.dumps(figures))
        return
    report = bench(args.sizes, args.repeat, cli=args.cli)
    if args.json:
        args.json.parent.mkdir(parents=True, exist_ok=True)
        args.json.write_text(json.dumps(report, indent=2) + "\n")


if __name__ == "__main__":
    main()
