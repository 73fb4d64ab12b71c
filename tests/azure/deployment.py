"""A project in a folder of its own, deployed to the stand-in by the embedded engine or by the CLI."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from mldeploy.engine.base.options import Options, Result
from mldeploy.engine.core.engine import Engine
from tests.azure.answers import Answer
from tests.azure.cloud import Cloud
from tests.azure.standin.servicer import StandIn
from tests.azure.standin.world import DEPLOYER

ROOT = Path(__file__).resolve().parents[2]
STANDIN = Path(__file__).parent / "standin"
PLUGINS = Path(__file__).parent / "plugins"
__all__ = ["DEPLOYER", "Deployment"]


@dataclass
class Deployment:
    """One stack. ``folder`` holds the project, the state, the fake subscription and the provider's home."""

    folder: Path
    cloud: Cloud
    stack: str = "dev"
    environment: dict[str, str] = field(default_factory=dict)
    extra: dict[str, Any] = field(default_factory=dict)
    """Further providers to run in this process."""
    engine: str = "embedded"
    """Or ``cli``."""

    def __post_init__(self) -> None:
        self.root = self.folder / "project"
        self.root.mkdir(parents=True, exist_ok=True)
        for name in ("manifest.yaml", "manifest.dev.yaml", "manifest.prod.yaml", "__main__.py"):
            shutil.copy(ROOT / name, self.root)
        for name in ("entry_scripts", "models", "golden"):
            shutil.copytree(ROOT / name, self.root / name, dirs_exist_ok=True)
        settings = yaml.safe_load((ROOT / "Pulumi.yaml").read_text())
        settings["plugins"]["providers"][0]["path"] = str(PLUGINS)
        settings["runtime"] = {
            "name": "python",
            "options": {"toolchain": "pip", "virtualenv": str(ROOT / ".venv")},
        }
        settings.pop("backend", None)
        (self.root / "Pulumi.yaml").write_text(yaml.safe_dump(settings))
        (self.root / f"Pulumi.{self.stack}.yaml").write_text("config: {}\n")
        (self.folder / "state").mkdir(exist_ok=True)
        self.backend = (self.folder / "state").as_uri()
        self.store = self.cloud.store
        self.cloud.serve = self._serve

    def _serve(self, group: str, path: str, body: bytes) -> Answer:
        """As the samples' servers would, which `make test-azure` really runs: the known answer to a golden request."""
        if path != "/score":
            return Answer(200)
        for request in (self.root / "golden").iterdir():
            expected = request.with_suffix(".expected.json")
            if request != expected and expected.exists() and request.read_bytes() == body:
                return Answer(200, expected.read_bytes(), {"Content_Type": "application/json"})
        return Answer(400, b"not a request that is known here")

    def manifest(self, **changes: Any) -> None:
        """Merge into manifest.<stack>.yaml; None removes a key."""
        path = self.root / f"manifest.{self.stack}.yaml"
        path.write_text(yaml.safe_dump(_merge(yaml.safe_load(path.read_text()), changes)))

    def run(self, operation: str, **options: Any) -> Result:
        """On the stack's engine; the embedded one has the stand-in in this process."""
        if self.engine == "cli":
            return self._run_cli(operation)
        engine = Engine(
            self.root,
            self.stack,
            backend_url=self.backend,
            passphrase="test",
            providers={"azure-native": lambda: StandIn(self.cloud.folder, self.cloud.world), **self.extra},
        )
        return getattr(engine, operation)(Options(**options))

    def _run_cli(self, operation: str) -> Result:
        if not list((self.folder / "state").rglob(f"{self.stack}.json")):
            self.cli("stack", "init")
        log = self.folder / "events.jsonl"
        log.unlink(missing_ok=True)
        go = () if operation == "preview" else ("--yes", "--skip-preview")
        done = self.cli(operation, *go, "--non-interactive", "--event-log", str(log), check=False)
        events = [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []
        steps = [
            {"op": pre["metadata"]["op"], "urn": pre["metadata"]["urn"]}
            for event in events
            if (pre := event.get("resourcePreEvent"))
        ]
        changes = next((e["summaryEvent"]["resourceChanges"] for e in events if "summaryEvent" in e), {})
        outputs = json.loads(self.cli("stack", "output", "--json", "--show-secrets").stdout)
        error = "" if done.returncode == 0 else done.stdout + done.stderr
        return Result(ok=done.returncode == 0, changes=changes, outputs=outputs, error=error, steps=steps)

    def cli(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """On the real CLI, with the stand-in as the plugin process that it finds on PATH."""
        environment = {
            **os.environ,
            **self.environment,
            "PATH": f"{STANDIN}:{PLUGINS}:{ROOT}/.venv/bin:{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT),
            "PULUMI_BACKEND_URL": self.backend,
            "PULUMI_CONFIG_PASSPHRASE": "test",
            "PULUMI_SKIP_UPDATE_CHECK": "true",
            "PULUMI_DEBUG_COMMANDS": "true",  # --event-log
            "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
            "STANDIN_FOLDER": str(self.cloud.folder),
            "STANDIN_PYTHON": str(ROOT / ".venv/bin/python"),
        }
        done = subprocess.run(
            [shutil.which("pulumi", path=environment["PATH"]) or "pulumi", *arguments, "--stack", self.stack],
            cwd=self.root,
            env=environment,
            capture_output=True,
            text=True,
            timeout=240,
        )
        if check and done.returncode != 0:
            raise AssertionError(f"pulumi {' '.join(arguments)}: {done.stdout}\n{done.stderr}")
        return done

    def requests(self) -> list[dict[str, Any]]:
        """Every request so far."""
        return self.store.requests()

    def forget_requests(self) -> None:
        """Start the log and the fault counter anew."""
        for name in ("requests.jsonl", "count"):
            (self.cloud.folder / name).unlink(missing_ok=True)

    def plan_faults(self, *faults: dict[str, Any]) -> None:
        """What the service does wrong next: see `Service._fault`."""
        (self.cloud.folder / "faults.json").write_text(json.dumps(faults))

    def state_text(self) -> str:
        """The checkpoint, as it is on disk."""
        (path,) = (self.folder / "state/.pulumi/stacks").rglob(f"{self.stack}.json")
        return path.read_text()


def _merge(old: Any, new: Any) -> Any:
    if isinstance(old, dict) and isinstance(new, dict):
        merged = {**old, **{key: _merge(old.get(key), value) for key, value in new.items()}}
        return {key: value for key, value in merged.items() if value is not None or key not in new}
    return new
