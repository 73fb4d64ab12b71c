"""`--json` of every command is one JSON document, or one a line where documented, whatever the program prints."""

from __future__ import annotations

import json

import pytest
import typer.main

from mldeploy.cli.app import build

LINES = {"up", "preview", "refresh", "destroy", "logs"}
NOISE = """
import ctypes, os, subprocess, sys
print("printed")
print("to standard error", file=sys.stderr)
os.write(1, b"written past Python\\n")
subprocess.run(["echo", "from a child"], check=True)
"""
ARGUMENTS = {
    "config get": ["x"],
    "config ls": [],
    "doctor": [],
    "graph": [],
    "keys": ["echo"],
    "logs": ["echo"],
    "refresh": ["--yes"],
    "stack ls": [],
    "stack output": [],
    "status": [],
    "validate": [],
}
APART = ("preview", "up", "destroy")
"""In processes of their own, where a program can write past Python."""


def commands() -> set[str]:
    """Every command with a ``--json``."""
    found: set[str] = set()

    def visit(group, above: str) -> None:
        for name, one in group.commands.items():
            if hasattr(one, "commands"):
                visit(one, f"{above}{name} ")
            elif any("--json" in parameter.opts for parameter in one.params):
                found.add(above + name)

    visit(typer.main.get_command(build()), "")
    return found


def parsed(command: str, text: str) -> list[object]:
    return [json.loads(line) for line in text.splitlines()] if command in LINES else [json.loads(text)]


def test_every_command_gives_json(project):
    assert commands() == {*ARGUMENTS, *APART, "import-v1"}
    project.echo(auth_enabled=True)
    program = project.root / "__main__.py"
    program.write_text(NOISE + program.read_text().split('"""', 2)[2])
    project.run("config", "set", "x", "1")
    for command in ("preview", "up"):
        done = project.run(command, "--json", subprocess=True)
        assert parsed(command, done.stdout)[-1]["result"] == "succeeded"
        assert "from a child" in done.stderr
        assert "written past Python" in done.stderr
        messages = [
            one["diagnosticEvent"]["message"]
            for one in parsed(command, done.stdout)
            if "diagnosticEvent" in one
        ]
        assert any("printed" in message for message in messages)
    for command, arguments in ARGUMENTS.items():
        done = project.run(*command.split(), *arguments, "--json", check=False)
        assert parsed(command, done.stdout), command
    project.write("manifest.yaml", "version: 2\n")
    for command in ("preview", "up", "validate"):
        failed = project.run(command, "--json", check=False)
        assert failed.returncode == 2
        assert json.loads(failed.stdout)["errors"]


@pytest.mark.parametrize("command", ["up", "preview"])
def test_a_failure_is_json_too(project, command):
    project.echo()
    program = project.root / "__main__.py"
    program.write_text(NOISE + "raise RuntimeError('no')\n")
    done = project.run(command, "--json", subprocess=True, check=False)
    assert done.returncode == 1
    assert parsed(command, done.stdout)[-1]["result"] == "failed"
