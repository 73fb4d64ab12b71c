"""A project in a folder of its own, on the embedded engine or on the Pulumi CLI."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from mldeploy.engine import Engine, Options, Result

REPOSITORY = Path(__file__).parents[1]
CLI = [
    pytest.mark.pulumi,
    pytest.mark.skipif(not shutil.which("pulumi"), reason="needs the Pulumi CLI (`pulumi`) on PATH"),
]
ENGINES = ["embedded", pytest.param("pulumi", marks=CLI)]
# The CLI takes seconds a step, so it runs some of them with `-m reliability` only.
MORE_ENGINES = ["embedded", pytest.param("pulumi", marks=[*CLI, pytest.mark.reliability])]


class Stack:
    """A project in a folder of its own, on one engine."""

    def __init__(self, folder: Path, engine: str) -> None:
        self.folder, self.engine = folder, engine
        folder.mkdir()
        settings = yaml.safe_load((REPOSITORY / "Pulumi.yaml").read_text())
        settings["plugins"]["providers"][0]["path"] = str(REPOSITORY / "mldeploy/provider/bin")
        settings["runtime"] = {"name": "python", "options": {"virtualenv": str(Path(sys.prefix))}}
        (folder / "Pulumi.yaml").write_text(yaml.safe_dump(settings))
        (folder / "Pulumi.local.yaml").write_text("config: {}\n")
        (folder / ".pulumi-state").mkdir()
        self.write_program()
        self.environment = {
            **{k: v for k, v in os.environ.items() if not k.startswith("PULUMI_")},
            "PULUMI_BACKEND_URL": f"file://{folder}/.pulumi-state",
            "PULUMI_CONFIG_PASSPHRASE": "test",
            "PULUMI_SKIP_UPDATE_CHECK": "true",
            "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
            "PYTHONPATH": str(REPOSITORY),
            "HOME": str(folder),
        }
        if engine == "pulumi":
            self.pulumi("stack", "init", "local")

    def write_program(self) -> None:
        """The repository's own program; the manifest is the test's."""
        shutil.copy(REPOSITORY / "__main__.py", self.folder)

    def write_manifest(self, manifest: dict[str, Any]) -> None:
        (self.folder / "manifest.yaml").write_text(yaml.safe_dump(manifest))

    def run(self, operation: str, check: bool = True) -> tuple[dict[str, int], str]:
        """(how many resources were changed in which way, errors)."""
        found = self.pulumi_run(operation) if self.engine == "pulumi" else self.embedded(operation)
        if check:
            assert not found[1], found[1]
        return found

    def embedded(self, operation: str) -> tuple[dict[str, int], str]:
        engine = Engine(
            self.folder, "local", backend_url=self.environment["PULUMI_BACKEND_URL"], passphrase="test"
        )
        result: Result = getattr(engine, operation)(Options())
        return result.changes, "" if result.ok else result.error or "failed"

    def pulumi_run(self, operation: str) -> tuple[dict[str, int], str]:
        extra = ["--skip-preview"] if operation != "preview" else []
        yes = ["--yes"] if operation != "preview" else []
        done = self.pulumi(operation, "--json", *yes, *extra, check=False)
        changes: dict[str, int] = {}
        for line in done.stdout.splitlines():
            if '"summaryEvent"' in line:
                changes = json.loads(line)["summaryEvent"]["resourceChanges"]
        if operation == "preview" and not changes:
            changes = json.loads(done.stdout)["changeSummary"]
        return changes, "" if done.returncode == 0 else done.stdout + done.stderr

    def pulumi(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        stack = [] if arguments[0] == "stack" else ["--stack", "local"]
        done = subprocess.run(
            ["pulumi", *arguments, *stack, "--non-interactive"],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        if check:
            assert done.returncode == 0, done.stdout + done.stderr
        return done

    def state(self) -> str:
        return next((self.folder / ".pulumi-state").rglob("local.json")).read_text()


def only(changes: dict[str, int]) -> dict[str, int]:
    """The changes that are one."""
    return {op: count for op, count in changes.items() if op != "same" and count}
