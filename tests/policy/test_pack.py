"""The pack as a process, through the Analyzer protocol, on both engines: stacks that comply and stacks that do not."""

import shutil
from pathlib import Path

import pytest
import yaml

from tests.lifecycle.project import Project

ROOT = Path(__file__).resolve().parents[2]
PULUMI = shutil.which("pulumi")
ENGINES = [
    "embedded",
    pytest.param(
        "pulumi",
        marks=[
            pytest.mark.pulumi,
            pytest.mark.skipif(PULUMI is None, reason="needs the Pulumi CLI (`pulumi`) on PATH"),
        ],
    ),
]
ARGUMENTS = ("--stack", "prod", "--policy-pack", "../pack")


@pytest.fixture(params=ENGINES)
def project(request, tmp_path):
    """A local service in a stack called prod, where the strict levels hold."""
    environment = {"PULUMI_CONFIG_PASSPHRASE": "for this test"}
    made = Project(
        tmp_path / "project", tmp_path / "home", request.param, environment, apart=request.param == "pulumi"
    )
    # Not where it was written: it stands alone.
    shutil.copytree(ROOT / "policy", tmp_path / "pack", ignore=shutil.ignore_patterns("__pycache__"))
    made.write("Pulumi.prod.yaml", "config: {}\n")
    made.write("manifest.prod.yaml", "version: 1\n")
    yield made
    if (made.root / ".pulumi-state").exists():
        made.run("destroy", "--yes", "--stack", "prod")


def approved(project, **service):
    project.echo(**service)
    manifest = yaml.safe_load((project.root / "manifest.yaml").read_text())
    manifest["models"]["echo"]["tags"] = {"stage": "approved"}
    project.write("manifest.yaml", manifest)


def test_a_stack_that_complies(project):
    approved(project, auth_enabled=True, num_replicas=2)
    done = project.run("up", "--yes", *ARGUMENTS)
    assert "mandatory" not in done.stdout + done.stderr
    assert "tls-enabled" in done.stdout + done.stderr, "advice is shown"


def test_a_stack_that_does_not(project):
    project.echo(auth_enabled=False)
    done = project.run("preview", *ARGUMENTS, check=False)
    said = done.stdout + done.stderr
    assert done.returncode == 1, said
    assert "auth-enabled" in said
    assert "answers requests without a key" in said
    assert "min-replicas" in said
    assert project.run("up", "--yes", *ARGUMENTS, check=False).returncode == 1
    assert not [
        row
        for row in project.run("status", "--stack", "prod", check=False).stdout.splitlines()
        if "healthy" in row
    ]


def test_a_stack_without_golden_requests(project):
    """A rule about the whole stack."""
    project.echo(auth_enabled=True, num_replicas=2, golden=[])
    done = project.run("preview", *ARGUMENTS, check=False)
    assert done.returncode == 1
    assert "service echo has no golden requests" in done.stdout + done.stderr


def test_levels_come_from_files_too(project):
    """Another levels file, and over it the configuration of the CLI's own kind."""
    approved(project, auth_enabled=False, num_replicas=2)
    project.write("own.yaml", "stacks: {default: {all: advisory}}\n")
    done = project.run("preview", *ARGUMENTS, "--policy-levels", "own.yaml", "--markdown", "plan.md")
    assert "auth-enabled" in done.stdout, "the plan is on the console, too"
    assert "**advisory** `auth-enabled`: echo-replica: echo answers" in (project.root / "plan.md").read_text()
    project.write("config.json", '{"auth-enabled": "mandatory"}')
    options = ("--policy-levels", "own.yaml", "--policy-pack-config", "config.json")
    done = project.run("preview", *ARGUMENTS, *options, check=False)
    assert done.returncode == 1
    assert done.stdout.count("answers requests without a key") == 1, done.stdout
