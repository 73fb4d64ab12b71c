"""`mldeploy config`: what `{config: …}` names, set without the Pulumi CLI and read by both."""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess

import pytest

from mldeploy.edits.stack_config import StackSettings
from mldeploy.session import Session

PLANTED = "planted-s3cret-value-0123456789"
PASSPHRASE = "planted-passphrase-42"


@pytest.fixture
def piped(monkeypatch):
    def pipe(text: str) -> None:
        monkeypatch.setattr("sys.stdin", io.StringIO(text))

    return pipe


def test_a_service_gets_its_key_without_the_cli(project, piped):
    project.echo(auth_enabled=True, primary_key={"config": "echoKey"})
    failed = project.run("preview", check=False)
    assert "set it with `mldeploy config set --secret echoKey --stack local`" in " ".join(
        failed.stdout.split()
    )
    piped(PLANTED + "\n")
    project.run("config", "set", "--secret", "echoKey")
    settings = (project.root / "Pulumi.local.yaml").read_text()
    assert PLANTED not in settings
    assert "encryptionsalt: v1:" in settings
    project.run("up", "--yes")
    assert project.post("echo", {"x": [1]}, PLANTED).status_code == 200
    assert project.post("echo", {"x": [1]}, "another").status_code == 401


def test_values_are_written_read_and_removed_and_comments_stay(project, piped):
    project.echo()
    file = project.write(
        "Pulumi.local.yaml", "# ours\nconfig:\n  # the region\n  azure-native:location: westeurope # here\n"
    )
    project.run("config", "set", "size", "3")
    project.run("config", "set", "azure-native:location", "northeurope")
    piped(PLANTED)
    project.run("config", "set", "--secret", "apiKey")
    text = file.read_text()
    assert all(one in text for one in ("# ours\n", "# the region\n", "# here\n"))
    assert project.run("config", "get", "size").stdout == "3\n"
    assert project.run("config", "get", "mldeploy:size").stdout == "3\n"
    assert project.run("config", "get", "apiKey").stdout == "[secret]\n"
    assert project.run("config", "get", "apiKey", "--show-secrets").stdout == f"{PLANTED}\n"
    assert json.loads(project.run("config", "ls", "--json").stdout) == {
        "azure-native:location": {"value": "northeurope", "secret": False},
        "apiKey": {"value": None, "secret": True},
        "size": {"value": "3", "secret": False},
    }
    assert PLANTED not in project.run("config", "ls").stdout
    project.run("config", "set", "apiKey", "none", "--plaintext")
    assert project.run("config", "get", "apiKey").stdout == "none\n"
    for key in ("apiKey", "size", "azure-native:location"):
        project.run("config", "rm", key)
    assert project.run("config", "ls").stdout == "stack 'local' has no configuration\n"


REFUSED = {
    "a secret as an argument": (
        ["set", "--secret", "k", PLANTED], {}, "in the shell's history and in process lists",
    ),
    "the name of a secret, in clear": (["set", "apiKey", "x"], {}, "apiKey is the name of a secret: give --secret"),
    "the form of a secret, in clear": (
        ["set", "x", "sk-0123456789abcdefghijklmn"], {}, "looks like an access token",
    ),
    "no passphrase": (["set", "--secret", "k", "--stack", "prod"], {}, "needs a passphrase for its secrets"),
    "no such value": (["get", "siez"], {}, "no configuration value 'siez' in stack 'local'; it has: size"),
    "nothing to remove": (["rm", "siez"], {}, "no configuration value 'siez'"),
    "no such stack": (["set", "x", "y", "--stack", "prdo"], {}, 'did you mean "prod"?'),
    "no key": (["set", "a b", "c"], {}, "'a b' is no configuration key"),
    "another keeper": (["ls", "--stack", "vault"], {}, "the secrets of this stack are kept by azurekeyvault://x"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_slips_are_refused(project, piped, case):
    arguments, project.environment, message = REFUSED[case]
    project.echo()
    for stack in ("local", "prod", "vault"):
        project.write(f"manifest.{stack}.yaml", {"version": 1})
    project.write("Pulumi.vault.yaml", {"secretsprovider": "azurekeyvault://x"})
    before = project.write("Pulumi.local.yaml", "config:\n  size: 3\n").read_text()
    piped(PLANTED)
    done = project.run("config", *arguments, check=False)
    assert done.returncode == 2
    assert message in done.stderr
    assert PLANTED not in done.stderr
    assert (project.root / "Pulumi.local.yaml").read_text() == before
    assert not (project.root / "Pulumi.prod.yaml").exists()


@pytest.mark.pulumi
@pytest.mark.skipif(not shutil.which("pulumi"), reason="needs the Pulumi CLI (`pulumi`) on PATH")
def test_the_cli_reads_it_and_the_other_way_round(project, piped):
    project.echo()
    project.write("manifest.prod.yaml", {"version": 1})
    project.environment = {"PULUMI_CONFIG_PASSPHRASE": PASSPHRASE}
    piped(PLANTED)
    project.run("config", "set", "--secret", "ours", "--stack", "prod")
    variables = (
        os.environ | project.environment | {"PULUMI_BACKEND_URL": f"file://{project.root}/.pulumi-state"}
    )
    (project.root / ".pulumi-state").mkdir(exist_ok=True)

    def pulumi(*arguments: str, **more: str) -> str:
        command = ["pulumi", *arguments, "--stack", "prod", "--non-interactive"]
        done = subprocess.run(
            command, cwd=project.root, env=variables, capture_output=True, text=True, **more
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    pulumi("stack", "init", "--secrets-provider", "passphrase")
    assert pulumi("config", "get", "ours") == f"{PLANTED}\n"
    pulumi("config", "set", "--secret", "theirs", input="another")
    settings = StackSettings(Session(project.root, "prod"), lambda: PASSPHRASE)
    assert {one.key: one.value for one in settings.all(show_secrets=True)} == {
        "ours": PLANTED,
        "theirs": "another",
    }
