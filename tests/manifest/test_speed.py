"""Reading a manifest takes work that grows with its length, no faster."""

from __future__ import annotations

import sys
from pathlib import Path

from mldeploy.manifest import load
from tests.manifest.project import make_project

SERVICE = """\
  s{i}:
    image: i{i}
    target: here
    port: {port}
    cpu_cores: 1
    auth_enabled: true
    tags: {{team: a, env: b}}
    primary_key: {{config: k}}
    golden: [{{request: golden/in.json, response: golden/out.json, tolerance: 1.0e-6}}]
    ssl:
      cname: score.example.org
      cert: {{keyvault: "https://kv1.vault.azure.net/secrets/cert"}}
      key: {{keyvault: "https://kv1.vault.azure.net/secrets/key"}}
"""


def calls(root: Path, count: int) -> int:
    """How many Python functions are called to load ``count`` models, images and services."""
    text = "version: 1\ntargets: {here: {type: local}}\nmodels:\n"
    text += "".join(f"  m{i}: {{source: models/m.pkl, tags: {{a: b}}}}\n" for i in range(count))
    text += "images:\n" + "".join(
        f"  i{i}: {{models: [m{i}], source_directory: scripts, entry_script: score.py}}\n"
        for i in range(count)
    )
    text += "services:\n" + "".join(SERVICE.format(i=i, port=8000 + i) for i in range(count))
    (root / "manifest.yaml").write_text(text)
    counted = 0

    def count_one(_frame: object, event: str, _argument: object) -> None:
        nonlocal counted
        counted += event == "call"

    sys.setprofile(count_one)
    try:
        manifest = load(root, "dev")
    finally:
        sys.setprofile(None)
    assert len(manifest.services) == count
    return counted


def test_linear(tmp_path: Path) -> None:
    root = make_project(tmp_path)
    calls(root, 1)  # what is imported and compiled once
    small, large = calls(root, 50), calls(root, 300)
    assert large < 6 * small * 1.1
