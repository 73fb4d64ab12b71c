"""A project of the tests' own in a folder of its own, driven through the command line as a user would."""

from __future__ import annotations

import io
import json
import os
import shutil
import socket
import sys
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path
from subprocess import DEVNULL, CompletedProcess
from subprocess import run as run_process

import httpx
import yaml

from mldeploy.cli.app import run as run_command_line

REPOSITORY = Path(__file__).resolve().parents[2]
ECHO_SCRIPT = """
import json, os, time

def init():
    global model
    folder = os.environ["AZUREML_MODEL_DIR"]
    with open(os.path.join(folder, "weights.json")) as file:
        model = json.load(file)

def run(raw):
    data = json.loads(raw)
    return {"scaled": [x * model["factor"] for x in data["x"]], "factor": model["factor"]}
"""


def free_port() -> int:
    """A TCP port on 127.0.0.1 that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@dataclass
class Project:
    """A project folder; ``home`` is where its services live, ``engine`` what runs it."""

    root: Path
    home: Path
    engine: str
    environment: dict[str, str] = field(default_factory=dict)
    apart: bool = False
    """Whether every command runs in a process of its own."""

    def __post_init__(self) -> None:
        self.root.mkdir(parents=True, exist_ok=True)
        settings = yaml.safe_load((REPOSITORY / "Pulumi.yaml").read_text())
        settings["plugins"]["providers"][0]["path"] = str(REPOSITORY / "mldeploy/provider/bin")
        settings["runtime"] = {"name": "python", "options": {"virtualenv": str(REPOSITORY / ".venv")}}
        self.write("Pulumi.yaml", yaml.safe_dump(settings))
        self.write("Pulumi.local.yaml", "config: {}\n")
        shutil.copy(REPOSITORY / "__main__.py", self.root)

    def write(self, path: str, content: str | bytes | dict) -> Path:
        """Write a file: text, bytes, or a document as YAML (``.yaml``) or JSON."""
        target = self.root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, dict):
            dump = yaml.safe_dump if path.endswith((".yaml", ".yml")) else json.dumps
            content = dump(content)
        target.write_bytes(content.encode() if isinstance(content, str) else content)
        return target

    def run(
        self, *arguments: str, check: bool = True, subprocess: bool | None = None
    ) -> CompletedProcess[str]:
        """Run `mldeploy` in the project. With ``check``, a failure fails the test with everything it printed.

        In this process unless told otherwise (an import of the SDKs for each command would take most of the time); the
        Pulumi CLI is a process anyway.
        """
        apart = self.apart if subprocess is None else subprocess
        done = self._in_a_process(arguments) if apart else self._in_this_process(arguments)
        if check:
            assert done.returncode == 0, f"mldeploy {' '.join(arguments)}:\n{done.stdout}\n{done.stderr}"
        return done

    def _variables(self) -> dict[str, str]:
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("PULUMI_", "MLDEPLOY_", "AZUREML_"))}
        kept |= {"MLDEPLOY_HOME": str(self.home), "MLDEPLOY_ENGINE": self.engine, "NO_COLOR": "1"}
        # The program is this repository's, the folder is not.
        kept["PYTHONPATH"] = str(REPOSITORY)
        return kept | self.environment

    def _in_a_process(self, arguments: tuple[str, ...]) -> CompletedProcess[str]:
        return run_process(
            [sys.executable, "-m", "mldeploy", *arguments],
            cwd=self.root,
            env=self._variables(),
            stdin=DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=280,
        )

    def _in_this_process(self, arguments: tuple[str, ...]) -> CompletedProcess[str]:
        out, err = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8", write_through=True) for _ in range(2))
        before, folder, variables = dict(os.environ), Path.cwd(), self._variables()
        os.environ.clear()
        os.environ.update(variables)
        os.chdir(self.root)
        try:
            with redirect_stdout(out), redirect_stderr(err):
                code = run_command_line(list(arguments))
        finally:
            os.chdir(folder)
            os.environ.clear()
            os.environ.update(before)
        printed = [stream.buffer.getvalue().decode(errors="replace") for stream in (out, err)]
        return CompletedProcess(arguments, code, *printed)

    def change(self, operation: str, *arguments: str, check: bool = True) -> dict[str, int]:
        """Run an operation with ``--json`` and return its counted changes."""
        done = self.run(operation, "--json", *arguments, check=check)
        summary = json.loads(done.stdout.strip().splitlines()[-1])
        assert summary["result"] == ("succeeded" if done.returncode == 0 else "failed")
        return summary["changes"]

    def status(self) -> dict[str, dict]:
        """`mldeploy status --json`, by service; the exit code says whether all of them answer."""
        done = self.run("status", "--json", check=False)
        rows = json.loads(done.stdout)
        assert done.returncode == any(row["state"] in ("unhealthy", "stopped") for row in rows), done.stderr
        return {row["service"]: row for row in rows}

    def states(self) -> dict[str, str]:
        """Service to state."""
        return {name: row["state"] for name, row in self.status().items()}

    def resources(self) -> list[dict]:
        """The resources of the stack's state file."""
        return self.checkpoint()["latest"].get("resources", [])

    def has_state(self) -> bool:
        """Whether anything was ever deployed."""
        return any((self.root / ".pulumi-state").rglob("local.json"))

    def state_file(self) -> Path:
        """The stack's state file."""
        return next((self.root / ".pulumi-state/.pulumi/stacks").rglob("local.json"))

    def checkpoint(self) -> dict:
        """The parsed state file."""
        return json.loads(self.state_file().read_text())["checkpoint"]

    def outputs(self, kind: str, name: str | None = None) -> dict:
        """The outputs of the one live resource whose type ends in ``kind`` (and whose name is ``name``)."""
        found = [
            r
            for r in self.resources()
            if r["type"].endswith(f":{kind}")
            and not r.get("delete")
            and (name is None or r["urn"].endswith(f"::{name}"))
        ]
        assert len(found) == 1, [r["urn"] for r in found]
        return found[0]["outputs"]

    def post(self, service: str, body: object, key: str | None = None) -> httpx.Response:
        """POST JSON (or bytes) to a service."""
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        uri = self.status()[service]["scoring_uri"]
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        return httpx.post(
            uri, content=content, headers=headers | {"Content-Type": "application/json"}, timeout=30
        )

    # --- the small service most tests use ----------------------------------------------------------------

    def echo(self, factor: int = 2, port: int | None = None, **service: object) -> int:
        """A service `echo` that multiplies by the model's `factor`, with a golden request. Returns its port."""
        self.model(factor)
        self.write("scripts/score.py", ECHO_SCRIPT)
        port = port or free_port()
        self.write(
            "manifest.yaml",
            {
                "version": 1,
                "models": {"echo": {"source": "models/weights.json"}},
                "images": {
                    "echo": {"models": ["echo"], "source_directory": "scripts", "entry_script": "score.py"}
                },
                "targets": {"here": {"type": "local", "runtime": "process"}},
                "services": {
                    "echo": {
                        "image": "echo",
                        "target": "here",
                        "port": port,
                        "golden": [{"request": "golden/echo.json", "response": "golden/echo.expected.json"}],
                        **service,
                    }
                },
            },
        )
        return port

    def model(self, factor: int) -> None:
        """Write the model, and the golden answer that fits it."""
        self.write("models/weights.json", {"factor": factor})
        self.write("golden/echo.json", {"x": [1, 2]})
        self.write("golden/echo.expected.json", {"scaled": [factor, 2 * factor], "factor": factor})

    def edit_manifest(self, edit) -> None:
        """Load manifest.yaml, let ``edit`` change the document in place, write it."""
        document = yaml.safe_load((self.root / "manifest.yaml").read_text())
        edit(document)
        self.write("manifest.yaml", document)
