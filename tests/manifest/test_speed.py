"""Reading a manifest takes time that grows with its length, no faster."""

from __future__ import annotations

import time
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


def seconds(root: Path, count: int) -> float:
    """The processor time of loading ``count`` models, images and services; the best of two."""
    text = "version: 1\ntargets: {here: {type: local}}\nmodels:\n"
    text += "".join(f"  m{i}: {{source: models/m.pkl, tags: {{a: b}}}}\n" for i in range(count))
    text += "images:\n" + "".join(
        f"  i{i}: {{models: [m{i}], source_directory: scripts, entry_script: score.py}}\n"
        for i in range(count)
    )
    text += "services:\n" + "".join(SERVICE.format(i=i, port=8000 + i) for i in range(count))
    (root / "manifest.yaml").write_text(text)
    best = float("inf")
    for _ in range(2):
        start = time.process_time()
        assert len(load(root, "dev").services) == count
        best = min(best, time.process_time() - start)
    return best


def test_linear(tmp_path: Path) -> None:
    root = make_project(tmp_path)
    small, large = seconds(root, 50), seconds(root, 300)
    assert large < 6 * small * 2
