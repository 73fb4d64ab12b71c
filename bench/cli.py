"""CPU seconds of commands that people wait for, of this version and of another one, in one run.

    python -m bench.cli [--old start] [--runs 5]

The other version is checked out into a temporary worktree and runs in the same environment, on a copy of the sample
project. Each number is the least of several runs: user and system time of the process and its children.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[1]
COMPLETION = {"_MLDEPLOY_COMPLETE": "complete_bash", "COMP_WORDS": "mldeploy sta", "COMP_CWORD": "1"}
CASES = {
    "--help": (["--help"], {}, "sample", 0.15),
    "--version": (["--version"], {}, "sample", 0.15),
    "completion": ([], COMPLETION, "sample", 0.15),
    "validate": (["validate"], {}, "sample", 0.3),
    "status": (["status"], {}, "sample", 0.4),
    "validate, 300 services": (["validate"], {}, "many", 1.0),
    "preview, 300 services": (["preview", "--engine", "embedded"], {}, "many", 8.0),
}
_START = "import sys; sys.argv[0] = 'mldeploy'; from mldeploy.cli import main; main()"


def measure(code: Path, project: Path, arguments: list[str], variables: dict[str, str]) -> float:
    """CPU seconds of one command."""
    environment = {
        **os.environ,
        **variables,
        "PYTHONPATH": str(code),
        "MLDEPLOY_HOME": str(project.parent / "home"),
        # As on a user's machine: from the second command on, compiled modules are there.
        "PYTHONPYCACHEPREFIX": str(project.parent / "compiled"),
    }
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(
        [sys.executable, "-P", "-c", _START, *arguments],
        cwd=project,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        check=code == ROOT,  # the other version may not have the command: what it takes to say so counts
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def sample(folder: Path) -> Path:
    """A copy of the repository's own project, without what was built."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout
    for name in listed.decode().split("\0"):
        if name.startswith(("manifest", "Pulumi", "__main__", "models/", "entry_scripts/", "golden/")):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes((ROOT / name).read_bytes())
    return folder


def many(folder: Path, services: int = 300) -> Path:
    """The sample with many services on this machine."""
    sample(folder)
    names = ("diabetes", "digits")
    entries = {f"s{i}": {"image": names[i % 2], "target": "here", "port": 20000 + i} for i in range(services)}
    gone = dict.fromkeys(names)
    overlay = {"version": 1, "targets": {"here": {"type": "local"}}, "services": {**gone, **entries}}
    (folder / "manifest.local.yaml").write_text(yaml.safe_dump(overlay))
    return folder


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--old", default="start", help="the other version: a tag, branch or commit")
    parser.add_argument("--runs", type=int, default=5)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as made:
        old = Path(made) / "old"
        subprocess.run(
            ["git", "worktree", "add", "--quiet", "--detach", str(old), options.old], cwd=ROOT, check=True
        )
        try:
            projects = {"sample": sample(Path(made) / "sample/p"), "many": many(Path(made) / "many/p")}
            print(f"{'CPU seconds':<24}{options.old:>10}{'now':>10}{'wanted':>10}")
            for name, (arguments, variables, project, wanted) in CASES.items():
                runs = 1 if "preview" in name else options.runs
                found = [
                    min(measure(code, projects[project], arguments, variables) for _ in range(runs))
                    for code in (old, ROOT)
                ]
                print(f"{name:<24}{found[0]:>10.2f}{found[1]:>10.2f}{wanted:>10.2f}", flush=True)
        finally:
            subprocess.run(["git", "worktree", "remove", "--force", str(old)], cwd=ROOT, check=True)


if __name__ == "__main__":
    main()
