"""What makes a folder a project: for users who come with a model, or with v1 files, and nothing else."""

from __future__ import annotations

import json
import os
import re
import sys
from pathlib import Path
from typing import Final

import mldeploy
from mldeploy.manifest import schema

_SCHEMA: Final = "manifest.v1.schema.json"

_SETTINGS: Final = """\
name: {name}
description: Models deployed by mldeploy
runtime:
  name: python
  options:
    toolchain: pip
    # Where mldeploy is installed: `pulumi` runs the program with it. As seen from this folder.
    virtualenv: {virtualenv}
backend:
  url: file://.pulumi-state
plugins:
  providers:
    - name: mldeploy
      path: {provider}
"""
_PROGRAM: Final = '''\
"""The Pulumi program: what manifest.yaml says, as resources."""

from pathlib import Path

from mldeploy.program import deploy

deploy(Path(__file__).parent)
'''
SAMPLE: Final = {
    "models/line.json": '{"slope": 2.0, "offset": 1.0}\n',
    "entry_scripts/line/score.py": '''\
"""Scores with a line: init() runs once when the service starts, run() for each request."""

import json

from azureml.core.model import Model


def init():
    global line
    with open(Model.get_model_path("line")) as file:
        line = json.load(file)


def run(data):
    return {"predictions": [line["slope"] * x + line["offset"] for x in json.loads(data)["data"]]}
''',
    "golden/line.json": '{"data": [0, 1, 2.5]}\n',
    "manifest.yaml": """\
# yaml-language-server: $schema=./manifest.v1.schema.json
version: 1
models:
  line: {source: models/line.json}
images:
  line: {models: [line], source_directory: entry_scripts/line, entry_script: score.py}
targets:
  here: {type: local}
services:
  line: {image: line, target: here, port: 8890, golden: [{request: golden/line.json}]}
""",
}
"""A project that needs nothing but the scoring server."""
_IGNORED: Final = """\
.pulumi-state/
.pulumi-passphrase
.venv/
__pycache__/
build/
"""


def project_files(folder: Path) -> dict[str, str]:
    """The files that a folder lacks to be a project; none when it is one.

    Args:
        folder: where the manifest goes, absolute.

    Raises:
        FileExistsError: it has a `__main__.py` that is not a project's.
    """
    if (folder / "Pulumi.yaml").exists():
        return {}
    if (folder / "__main__.py").exists():
        raise FileExistsError(
            f"{folder / '__main__.py'} exists and is not a project's program; move it, or give another --output"
        )
    name = re.sub(r"[^A-Za-z0-9_.-]+", "-", folder.name).strip("-.") or "models"
    settings = _SETTINGS.format(
        name=name,
        virtualenv=os.path.relpath(sys.prefix, folder),
        provider=os.path.relpath(Path(mldeploy.__file__).parent / "provider/bin", folder),
    )
    files = {"Pulumi.yaml": settings, "__main__.py": _PROGRAM}
    if not (folder / _SCHEMA).exists():  # the manifests name it, for editors
        files[_SCHEMA] = json.dumps(schema(), indent=2, ensure_ascii=False) + "\n"
    if not (folder / ".gitignore").exists():
        files[".gitignore"] = _IGNORED
    return files
