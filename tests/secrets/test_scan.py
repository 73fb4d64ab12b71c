"""No credential is in the repository or its history's tip, and none gets out of a stack's whole life."""

from __future__ import annotations

import re
import subprocess
import time
from pathlib import Path

import pytest

from tests.lifecycle.conftest import make_project  # noqa: F401 - a fixture
from tests.secrets.patterns import PATTERNS, found
from tests.secrets.watch import Watch

ROOT = Path(__file__).resolve().parents[2]
KNOWN = {
    "tests/manifest/bad/secret-in-a-url/manifest.yaml": "what the manifest refuses",
    "tests/manifest/bad/secret-token-in-tags/manifest.yaml": "what the manifest refuses",
}
"""Made-up credentials, and what for."""
LOOKS_LIKE = {
    "private key": "-----BEGIN RSA PRIVATE KEY-----\n" + ("A" * 64 + "\n") * 3,
    "Azure storage key": "AccountKey=" + "a1B2" * 21 + "aa==",
    "shared access key": "SharedAccessKey=" + "a1B2" * 10 + "abc=",
    "shared access signature": "https://x.blob.core.windows.net/c?sv=1&sig=" + "a1B2" * 11,
    "Entra client secret": "abc8Q~" + "a1B2" * 8 + "a1",
    "Azure DevOps token": "a2b3" * 13,
    "GitHub token": "ghp_" + "a1B2" * 9,
    "Pulumi token": "pul-" + "0a" * 20,
    "AWS key": "AKIA" + "A1B2" * 4,
    "Google key": "AIza" + "a1B2c" * 7,
    "Slack token": "xoxb-" + "1" * 24,
    "PyPI token": "pypi-AgEIcHlwaS" + "a1" * 30,
    "JSON web token": ".".join(["eyJ" + "a1" * 8, "eyJ" + "b2" * 8, "c3" * 8]),
    "URL with a password": "https://me:" + "letmein1@example.org",
    "salt of a stack": "encryptionsalt: v1:abc",
}


@pytest.mark.parametrize("name", PATTERNS)
def test_the_scan_sees_each_kind(name):
    assert name in dict(found(f"x\n{LOOKS_LIKE[name]}\ny"))


def test_repository():
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=False)
    if listed.returncode:
        pytest.skip("needs a git checkout: it is the committed files that are looked at")
    names = [name for name in listed.stdout.decode().split("\0") if name and (ROOT / name).is_file()]
    assert len(names) > 300
    leaks = {
        f"{name}: {kind}"
        for name in names
        if name not in KNOWN
        for kind, _ in found((ROOT / name).read_text("utf-8", errors="replace"))
    }
    assert leaks == set()
    ignored = (ROOT / ".gitignore").read_text().split()
    assert {".pulumi-passphrase", ".pulumi-state/"} <= set(ignored)
    assert all(list(found((ROOT / name).read_text())) for name in KNOWN), "KNOWN has a file without one"


def keys(project):
    return re.findall(r": (\S+)$", project.run("keys", "echo", "--show").stdout, re.M)


@pytest.mark.reliability
def test_a_whole_life(make_project):  # noqa: F811 - the fixture
    """Given, generated and rotated keys, a variable, the passphrase: through every command and a failed update."""
    secrets = {
        "PRIMARY": "planted-primary-0123456789",
        "API_TOKEN": "planted-token-0123456789",
        "PULUMI_CONFIG_PASSPHRASE": "planted-passphrase-0123456789",
    }
    project = make_project("embedded", **secrets)
    project.apart = True  # so that what the test itself keeps in memory is not what is looked at
    watch = Watch(project)
    project.echo(auth_enabled=True, primary_key={"env": "PRIMARY"})
    project.edit_manifest(
        lambda document: document["images"]["echo"].update(
            environment_variables={"API_TOKEN": {"env": "API_TOKEN"}}
        )
    )
    watch.run("preview", "--diff")
    watch.run("up", "--yes", "--diff")
    known = {*secrets.values(), *keys(project)}
    project.post("echo", {"x": [1]}, secrets["PRIMARY"])
    project.post("echo", {"x": [1]}, "wrong")
    project.post("echo", b"no JSON", secrets["PRIMARY"])
    project.edit_manifest(
        lambda document: document["services"]["echo"].update(key_generation={"primary": 1, "secondary": 2})
    )
    watch.run("up", "--yes", "--json")
    known |= set(keys(project))
    assert (
        len(known) == 5
    )  # two planted keys or variables, the passphrase, two generations of the secondary key
    for command in (
        ["status"],
        ["status", "--json"],
        ["logs", "echo"],
        ["keys", "echo"],
        ["keys", "echo", "--json"],
        ["stack", "output"],
        ["stack", "export"],
        ["refresh", "--yes", "--diff"],
        ["graph"],
        ["preview", "--markdown", "-"],
        ["validate", "--json"],
    ):
        watch.run(*command)
    watch.run("doctor", "--json", check=False)
    project.write(
        "scripts/score.py", "import os\ndef init():\n    raise RuntimeError('x')\ndef run(raw):\n    pass\n"
    )
    assert watch.run("up", "--yes", "--diff", check=False).returncode == 1
    watch.run("destroy", "--yes")
    time.sleep(0.1)
    watch.look()
    assert sum(place.startswith("process") for place in watch.texts) >= 2
    assert any(".pulumi-state" in place for place in watch.texts)
    assert any(place.endswith(".log") for place in watch.texts)
    # The script asked for its variable: its own process has it, nobody else.
    leaks = {
        (place, secret)
        for place, text in watch.texts.items()
        for secret in known
        if secret in text and not (place.startswith("environment") and secret == secrets["API_TOKEN"])
    }
    assert leaks == set()
    assert {(place, kind) for place, text in watch.texts.items() for kind, _ in found(text)} - {
        (place, "salt of a stack") for place in watch.texts if place.endswith("Pulumi.local.yaml")
    } == set()
