"""Every command that reads something prints it as JSON, too; help, version and shell completion."""

import json
import os
import subprocess
import sys

import pytest

from scripts.pages.commands import commands
from tests.lifecycle.conftest import make_project, project  # noqa: F401 - fixtures
from tests.lifecycle.project import REPOSITORY

READING = {
    "mldeploy preview": [],
    "mldeploy refresh": ["--yes"],
    "mldeploy status": [],
    "mldeploy keys": ["echo"],
    "mldeploy logs": ["echo"],
    "mldeploy validate": [],
    "mldeploy graph": [],
    "mldeploy doctor": [],
    "mldeploy stack ls": [],
    "mldeploy stack output": [],
    "mldeploy up": ["--yes"],
}
JSON_ANYWAY = {"mldeploy schema": [], "mldeploy stack export": []}
WRITING = {
    "mldeploy destroy": "has --json, and is run last",
    "mldeploy score": "prints the service's own answer, whatever its type",
    "mldeploy import-v1": "has --json, tested with the migration",
    "mldeploy rollback": "changes; --dry-run shows a diff",
    "mldeploy promote": "changes; --dry-run shows a diff",
    "mldeploy stack import": "changes",
    "mldeploy stack rm": "changes",
    "mldeploy init": "writes files",
    "mldeploy eject": "writes files",
    "mldeploy stack init": "changes",
    "mldeploy state delete": "changes",
    "mldeploy state protect": "changes",
    "mldeploy state rename": "changes",
    "mldeploy state taint": "changes",
    "mldeploy state unprotect": "changes",
    "mldeploy state untaint": "changes",
    "mldeploy state move": "changes",
    "mldeploy config set": "changes",
    "mldeploy config rm": "changes",
    "mldeploy config get": "has --json, tested with the other commands' in tests/cli",
    "mldeploy config ls": "has --json, tested with the other commands' in tests/cli",
    "mldeploy batch run": "writes files",
    "mldeploy edge export": "writes a file",
    "mldeploy cancel": "changes",
}
LINES = {"mldeploy preview", "mldeploy refresh", "mldeploy up", "mldeploy destroy", "mldeploy logs"}
"""One document a line: events, and a log."""


def test_every_command_is_one_of_these():
    assert {*READING, *JSON_ANYWAY, *WRITING} == {name for name, _ in commands()}


def test_json(project):  # noqa: F811 - the fixture
    project.echo(auth_enabled=True)
    project.run("up", "--yes")
    for name, arguments in {**READING, **JSON_ANYWAY, "mldeploy destroy": ["--yes"]}.items():
        option = [] if name in JSON_ANYWAY else ["--json"]
        done = project.run(*name.split()[1:], *arguments, *option, check=name != "mldeploy doctor")
        printed = done.stdout.splitlines() if name in LINES else [done.stdout]
        assert printed, name
        for text in printed:
            assert isinstance(json.loads(text), dict | list), name
    assert json.loads(project.run("graph", "--json").stdout)["edges"] == [
        ["models/echo", "images/echo"],
        ["images/echo", "services/echo"],
        ["services/echo", "targets/here"],
    ]


@pytest.mark.parametrize("name", [name for name, _ in commands()])
def test_help_reads_well(name, capsys):
    """A sentence that ends, options with help, nothing cut off at 80 columns."""
    command = dict(commands())[name]
    first = str(command.help).strip().split("\n\n")[0]
    assert first[0].isupper()
    assert first.endswith(".")
    assert all(parameter.help.rstrip().endswith((".", ")", "'")) for parameter in command.params), name


def run(project, **environment):  # noqa: F811
    done = subprocess.run(
        [sys.executable, "-c", "import sys; sys.argv[0] = 'mldeploy'; from mldeploy.cli import main; main()"],
        cwd=project.root,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY), **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout.split()


def test_shell_completion(project):  # noqa: F811 - the fixture
    project.echo()
    (project.root / "manifest.staging.yaml").write_text("version: 1\n")
    (project.root / "manifest.broken.yaml").write_text("{")
    for line, wanted in (
        ("mldeploy pre", {"preview"}),
        ("mldeploy logs ", {"echo"}),
        ("mldeploy logs --stack s", {"staging"}),
        ("mldeploy up --engine em", {"embedded"}),
    ):
        found = run(
            project,
            **{
                "_MLDEPLOY_COMPLETE": "complete_bash",
                "COMP_WORDS": line,
                "COMP_CWORD": str(len(line.split(" ")) - 1),
            },
        )
        assert wanted <= set(found), line
