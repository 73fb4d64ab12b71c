"""A kubeconfig that the manifest leads to and that cannot be used: one message, at the manifest's line."""

from __future__ import annotations

import pulumi
import pytest
import yaml

from components.context import Context
from components.targets.kubernetes import graph as kubernetes
from mldeploy.manifest import load

_MANIFEST = """version: 1
models: {}
images: {}
targets:
  prod:
    type: kubernetes
    kubeconfig: {env: TEST_TARGET_KUBECONFIG}
services: {}
"""


@pytest.fixture
def kubeconfig(tmp_path, monkeypatch):
    (tmp_path / "manifest.yaml").write_text(_MANIFEST)
    monkeypatch.chdir(tmp_path)

    def run(text):
        monkeypatch.setenv("TEST_TARGET_KUBECONFIG", text)
        context = Context(load(tmp_path, "prod"), "ml", "prod")
        return kubernetes.deploy(context, "prod", context.manifest.targets["prod"], {})

    return run


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "the environment variable TEST_TARGET_KUBECONFIG is not set"),
        ("/nowhere/config", "kubeconfig /nowhere/config: No such file or directory"),
        ("users: [{token: the-secret: x}]\n", "the kubeconfig: no YAML: line 1, column"),
        (
            yaml.safe_dump({"kind": "Config", "contexts": []}),
            "the kubeconfig has no context ''; it has: none",
        ),
    ],
)
def test_the_line_and_the_reason_are_said(kubeconfig, text, message):
    with pytest.raises(pulumi.RunError) as caught:
        kubeconfig(text)
    assert str(caught.value).startswith("manifest.yaml:7:5: targets.prod.kubeconfig: ")
    assert message in str(caught.value)
    assert "the-secret" not in str(caught.value)
