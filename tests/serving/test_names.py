"""No module of a script's can hide the server's, and a script's `serving` is found all the same."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from mldeploy.imaging import dockerfile
from tests.serving.replica import ROOT, Replica, start

HELPER = "def double(value):\n    return 2 * value\n\nclass Mine:\n    pass\n"
USES = """
    import json, pickle
    {imports}

    def init():
        pass

    def run(data):
        assert type(pickle.loads(pickle.dumps(Mine()))) is Mine
        return double(json.loads(data))
"""


@pytest.fixture
def replica() -> Iterator[Callable[..., Replica]]:
    made: list[Replica] = []

    def make(script: str, **config: Any) -> Replica:
        made.append(start(script, **config))
        return made[-1]

    yield make
    for one in made:
        one.clean()


CASES = {
    "serving.py": ({"serving.py": HELPER}, "from serving import Mine, double"),
    "serving.py, module": (
        {"serving.py": HELPER},
        "import serving; from serving.measure import count; double, Mine = serving.double, serving.Mine",
    ),
    "serving/": (
        {
            "serving/__init__.py": "from .helper import double\nfrom serving.helper import Mine",
            "serving/helper.py": HELPER,
        },
        "from serving import double; from serving.helper import Mine",
    ),
    "serving/, no __init__": ({"serving/helper.py": HELPER}, "from serving.helper import Mine, double"),
    "the server's modules": (
        {
            f"{name}.py": HELPER
            for name in ("worker", "master", "logs", "app", "config", "messages", "script")
        },
        "from worker import double; from logs import Mine",
    ),
    "its packages": (
        {f"{name}.py": HELPER for name in ("httptools", "prometheus_client", "msgspec")},
        "from httptools import double; from msgspec import Mine",
    ),
    "Python's": (
        {"selectors.py": HELPER, "faulthandler.py": HELPER},
        "from os import *\nfrom helper import *",
    ),
}


@pytest.mark.parametrize("name", list(CASES))
def test_the_server_starts_beside(replica: Callable[..., Replica], name: str) -> None:
    files, imports = CASES[name]
    given = {f"source/{file}": text for file, text in {"helper.py": HELPER, **files}.items()}
    if name == "its packages":
        # They are loaded already, as the server's: what is imported is theirs, and nothing breaks.
        imports = "import httptools, msgspec; from helper import *"
    if name == "Python's":
        imports = "from helper import *"
    one = replica(USES.format(imports=imports.replace("\n", "\n    ")), files=given)
    one.wait_ready()
    one.accept()
    assert one.request("/score", "21").json == 42, one.output()


def test_what_neither_has_is_an_error_that_names_both(replica: Callable[..., Replica]) -> None:
    one = replica(USES.format(imports="import serving; serving.nothing"), files={"source/serving.py": HELPER})
    assert one.process.wait(60) == 3
    assert "neither the scoring server's package 'serving' nor" in one.startup_error()


@pytest.mark.parametrize("files", [{"serving.py": HELPER}, {"serving/__init__.py": HELPER}])
def test_batch_workers_start_beside(tmp_path: Path, files: dict[str, str]) -> None:
    source = tmp_path / "source"
    for name, text in {"score.py": "", **files}.items():
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        (source / name).write_text(text)
    (source / "score.py").write_text(
        "import json\nfrom serving import double\ndef init(): pass\ndef run(data): return double(json.loads(data))\n"
    )
    (tmp_path / "in").mkdir()
    (tmp_path / "in/a.json").write_text("21")
    command = [sys.executable, str(ROOT / "serving/batch/__main__.py"), "--entry-script", "score.py"]
    command += ["--input", str(tmp_path / "in"), "--output", str(tmp_path / "out")]
    done = subprocess.run(command, cwd=source, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    row = next(
        file
        for file in (tmp_path / "out").iterdir()
        if file.suffix not in (".json", "") or "pred" in file.name
    )
    assert json.loads(row.read_text())["output"] == 42


def test_images_start_the_servers_file() -> None:
    assert os.path.join(dockerfile.SERVING, "serving", "__main__.py") == dockerfile.START
