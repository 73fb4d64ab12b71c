"""A batch run for tests: a folder with a script, an input and an output, and the command over them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent.parent
FILES = """
    import os, time

    def init():
        print("init was called")

    def run(mini_batch):
        with open(os.environ["CALLS"], "a") as log:
            log.write(" ".join(os.path.basename(path) for path in mini_batch) + "\\n")
        rows = []
        for path in mini_batch:
            text = open(path).read()
            if text.startswith("sleep"):
                time.sleep(float(text.split()[1]))
            if text == "exit":
                os._exit(7)
            if text == "raise":
                raise ValueError("no such thing")
            if text == "once" and not os.path.exists(os.environ["CALLS"] + ".once"):
                open(os.environ["CALLS"] + ".once", "w").close()
                raise ValueError("this once")
            if text != "skip":
                rows.append(f"{os.path.basename(path)},{text}")
        return rows
"""


class Job:
    """A folder with a script, an input and an output."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.input, self.output, self.calls = folder / "in", folder / "out", folder / "calls"
        self.input.mkdir()
        self.script(FILES)

    def script(self, text: str) -> None:
        (self.folder / "score.py").write_text(textwrap.dedent(text))

    def files(self, **contents: str) -> None:
        for name, text in contents.items():
            (self.input / name).write_text(text)

    def command(self, *options: str) -> list[str]:
        fixed = ["--input", self.input, "--output", self.output, "--entry-script", self.folder / "score.py"]
        return [sys.executable, "-m", "serving.batch", *map(str, fixed), *options]

    @property
    def environ(self) -> dict[str, str]:
        return {**os.environ, "PYTHONPATH": str(ROOT), "CALLS": str(self.calls)}

    def __call__(self, *options: str, code: int = 0) -> subprocess.CompletedProcess[str]:
        result = subprocess.run(
            self.command(*options),
            env=self.environ,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert result.returncode == code, result.stderr
        return result

    def rows(self) -> list[str]:
        return (self.output / "predictions.csv").read_text().splitlines()

    def answers(self) -> list[Any]:
        return [json.loads(row) for row in self.rows()]

    def summary(self) -> dict[str, Any]:
        return json.loads((self.output / "summary.json").read_text())

    def called(self) -> list[str]:
        return self.calls.read_text().splitlines()

    def calls_made(self) -> int:
        return self.calls.read_text().count("\n") if self.calls.exists() else 0

    def journaled(self) -> int:
        return (self.output / ".batch/journal").read_bytes().count(b"\n")


def wait_for(condition: Any, seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.005)
