"""The list of commands is what the application has, and answers without loading it."""

import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest
import typer.main

from mldeploy.cli import catalog
from mldeploy.cli.app import build, run

ENTRIES = {entry.name: entry for entry in catalog.COMMANDS}


@pytest.fixture(scope="module")
def application():
    return typer.main.get_command(build())


def test_every_command_is_listed(application):
    assert set(application.commands) == set(ENTRIES)


@pytest.mark.parametrize("name", ENTRIES)
def test_the_summary_is_the_commands_own(application, name):
    assert application.commands[name].help.split("\n\n")[0].replace("\n", " ") == ENTRIES[name].summary


def test_every_module_of_commands_is_used():
    folder = import_module("mldeploy.cli.commands").__path__[0]
    assert {p.stem for p in Path(folder).glob("*.py")} - {"__init__"} == {e.module for e in ENTRIES.values()}


@pytest.mark.parametrize("arguments", [["--help"], ["-h"], ["--version"]])
def test_the_overview_and_the_version_load_no_sdk(arguments):
    heavy = ("pulumi", "grpc", "pydantic", "rich", "mldeploy.manifest", "mldeploy.engine", "httpx")
    script = (
        f"import sys; sys.argv = ['mldeploy', *{arguments!r}]\n"
        "from mldeploy.cli import main\n"
        "try:\n    main()\nexcept SystemExit as end:\n    assert end.code == 0\n"
        f"loaded = [name for name in {heavy!r} if name in sys.modules]\n"
        "assert not loaded, loaded\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(("Usage: mldeploy", "mldeploy "))


def test_the_version_is_the_packages(capsys):
    assert run(["--version"]) == 0
    assert capsys.readouterr().out == "mldeploy 0.1.0\n"


def test_an_unknown_command_names_the_near_one(capsys):
    assert run(["stauts"]) == 2
    assert "'status'" in capsys.readouterr().err


@pytest.mark.parametrize("width", [60, 80, 120])
def test_the_overview_fits(monkeypatch, width):
    monkeypatch.setenv("COLUMNS", str(width))
    lines = catalog.overview().splitlines()
    assert max(map(len, lines)) <= width
    assert all(any(line.startswith(f"  {name} ") for line in lines) for name in ENTRIES)


def test_the_readme_names_every_command():
    text = (Path(__file__).resolve().parents[2] / "README.md").read_text()
    table = text.split("## Commands")[1].split("##")[0]
    assert [name for name in ENTRIES if f"mldeploy {name}" not in table and f"`{name}" not in table] == []
