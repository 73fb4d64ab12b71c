"""A slip of the fingers costs nothing: misspelt stacks, emptied files, updates that delete everything."""

from __future__ import annotations

import json
import shutil
import socket

import pytest

from mldeploy.cli import guards
from scripts.pages.commands import commands
from tests.lifecycle.conftest import processes_of

URN = "urn:pulumi:loacl::p::t:m:R::n"
# Every command that takes --stack, with what else it needs.
ARGUMENTS = {
    "up": ["--yes"],
    "preview": [],
    "refresh": ["--yes"],
    "destroy": ["--yes"],
    "rollback": ["echo", "--yes"],
    "doctor": [],
    "status": [],
    "score": ["echo", "--data", "golden/echo.json"],
    "logs": ["echo"],
    "keys": ["echo"],
    "validate": [],
    "graph": [],
    "eject": ["echo"],
    "stack output": [],
    "stack export": [],
    "stack import": ["--file", "golden/echo.json"],
    "batch run": ["echo", "--input", "golden", "--output", "scored"],
    "cancel": [],
    "config get": ["x"],
    "config ls": [],
    "config rm": ["x"],
    "config set": ["x", "1"],
    "edge export": ["echo", "--output", "deployment.json"],
    "state delete": [URN],
    "state move": [URN, "--dest", "other"],
    "state rename": [URN, "other"],
    "state protect": [URN],
    "state unprotect": [URN],
    "state taint": [URN],
    "state untaint": [URN],
}
OTHERWISE = {"stack rm": ["loacl", "--yes"], "promote": ["--from", "local", "--to", "loacl", "--yes"]}


def with_stack() -> set[str]:
    return {
        name.removeprefix("mldeploy ")
        for name, command in commands()
        if any(one.name == "stack" for one in command.params)
    }


def test_every_command_with_a_stack_is_in_the_table():
    assert with_stack() == set(ARGUMENTS)


def files(project):
    return sorted(str(path) for path in project.root.rglob("*"))


@pytest.mark.parametrize("command", [*ARGUMENTS, *OTHERWISE])
def test_a_stack_that_nobody_made_is_refused(project, command):
    project.echo()
    project.write("manifest.local.yaml", {"version": 1})
    project.write("manifest.prod.yaml", {"version": 1})
    before = files(project)
    arguments = OTHERWISE.get(command) or [*ARGUMENTS[command], "--stack", "loacl"]
    done = project.run(*command.split(), *arguments, check=False)
    assert done.returncode == 2, done.stderr
    assert "no stack 'loacl': it has neither manifest.loacl.yaml nor a state" in done.stderr
    assert 'did you mean "local"?' in done.stderr
    assert files(project) == before


def test_json_says_it_too(project):
    project.echo()
    project.write("manifest.prod.yaml", {"version": 1})
    done = project.run("validate", "--stack", "prdo", "--json", check=False)
    assert done.returncode == 2
    assert 'did you mean "prod"?' in json.loads(done.stdout)["errors"][0]["message"]


@pytest.mark.parametrize("engine", ["embedded", pytest.param("pulumi", marks=pytest.mark.pulumi)])
def test_create_makes_one_which_is_known_from_then_on(make_project, engine):
    if engine == "pulumi" and shutil.which("pulumi") is None:
        pytest.skip("needs the Pulumi CLI (`pulumi`) on PATH")
    project = make_project(engine, PULUMI_CONFIG_PASSPHRASE="x")
    project.echo()
    project.write("manifest.prod.yaml", {"version": 1})
    assert project.run("up", "--yes", "--stack", "trial", check=False).returncode == 2
    project.run("preview", "--stack", "trial", "--create")
    project.run("up", "--yes", "--stack", "trial", "--create")
    try:
        project.run("status", "--stack", "trial")
        done = project.run("status", "--stack", "trail", check=False)
        assert 'did you mean "trial"?' in done.stderr
    finally:
        project.run("destroy", "--yes", "--stack", "trial")
    project.run("stack", "rm", "trial", "--yes")
    assert project.run("status", "--stack", "trial", check=False).returncode == 2


@pytest.mark.parametrize("answer", [True, False])
def test_on_a_terminal_a_new_stack_is_asked_about(project, monkeypatch, answer):
    project.echo()
    project.write("manifest.prod.yaml", {"version": 1})
    project.environment["PULUMI_CONFIG_PASSPHRASE"] = "x"
    monkeypatch.setattr(guards, "is_terminal", lambda: True)
    asked = []
    monkeypatch.setattr(guards.typer, "confirm", lambda text, **_: asked.append(text) or answer)
    done = project.run("up", "--stack", "trial", check=False)
    assert asked == ["make a new stack 'trial'?"]
    assert done.returncode == (0 if answer else 1)
    if answer:
        project.run("destroy", "--yes", "--stack", "trial")
    else:
        assert not (project.root / ".pulumi-state").exists()


# --- what would be lost -----------------------------------------------------------------------------------

EMPTIED = {
    "an empty overlay": (lambda p: p.write("manifest.local.yaml", ""), "manifest.local.yaml: is empty"),
    "only comments": (lambda p: p.write("manifest.local.yaml", "# none\n"), "manifest.local.yaml: is empty"),
    "an empty document": (lambda p: p.write("manifest.local.yaml", "---\n"), "manifest.local.yaml: is empty"),
    "an empty base": (lambda p: p.write("manifest.yaml", ""), "manifest.yaml: is empty"),
    "no services": (
        lambda p: p.edit_manifest(lambda m: m.pop("services")),
        "this deletes every service of stack 'local': echo",
    ),
    "services removed": (
        lambda p: p.write("manifest.local.yaml", {"version": 1, "services": {"echo": None}}),
        "this deletes every service of stack 'local': echo",
    ),
    "the overlay that had the targets is gone": (
        lambda p: p.edit_manifest(lambda m: m.pop("targets")),
        "services.echo.target",
    ),
}


def test_an_emptied_manifest_deletes_nothing(project):
    project.echo()
    project.write("manifest.local.yaml", {"version": 1})
    project.run("up", "--yes")
    kept = {name: (project.root / name).read_bytes() for name in ("manifest.yaml", "manifest.local.yaml")}
    for case, (empty, words) in EMPTIED.items():
        empty(project)
        for arguments in (["up", "--yes"], ["up"], ["up", "--yes", "--json"]):
            done = project.run(*arguments, check=False)
            assert done.returncode == 2, case
            assert words in done.stderr, case
        assert project.states() == {"echo": "healthy"}, case
        for name, data in kept.items():
            (project.root / name).write_bytes(data)
    EMPTIED["no services"][0](project)
    project.run("up", "--yes", "--allow-empty")
    assert project.states() == {}


OWN_PROGRAM = """
from pathlib import Path

from components.compose import compose
from mldeploy.manifest import load

compose(load(Path(__file__).parent / "own", "local"))
"""


def test_the_services_of_a_program_of_its_own_are_not_the_manifests_to_miss(project):
    project.echo()
    shutil.copytree(project.root, project.root / "own")
    project.write("manifest.yaml", {"version": 1})
    project.write("__main__.py", OWN_PROGRAM)
    project.run("up", "--yes")
    assert project.change("up", "--yes").get("delete", 0) == 0
    assert project.states() == {"echo": "healthy"}


def test_renaming_one_of_two_services_is_no_emptying(project):
    project.echo()
    project.edit_manifest(
        lambda m: m["services"].update(two={**m["services"]["echo"], "port": project.echo()})
    )
    project.run("up", "--yes")
    project.edit_manifest(lambda m: m["services"].pop("two", None))
    project.run("up", "--yes")
    assert set(project.states()) == {"echo"}


@pytest.mark.parametrize("answer", [True, False])
def test_on_a_terminal_it_is_asked(project, monkeypatch, answer):
    project.echo()
    project.run("up", "--yes")
    project.edit_manifest(lambda m: m.pop("services"))
    monkeypatch.setattr(guards, "is_terminal", lambda: True)
    asked = []
    monkeypatch.setattr(guards.typer, "confirm", lambda text, **_: asked.append(text) or answer)
    done = project.run("up", check=False)
    assert asked == ["this deletes every service of stack 'local': echo. Go on?"]
    assert done.returncode == (0 if answer else 1)
    assert project.states() == ({} if answer else {"echo": "healthy"})


# --- another home -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("listener", [True, False], ids=["serving", "its listener was never made"])
def test_another_home_leaves_nothing_running_behind(project, tmp_path, listener):
    port = project.echo(auth_enabled=False)
    if not listener:
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", port))
            taken.listen()
            assert project.run("up", "--yes", check=False).returncode == 1
    else:
        project.run("up", "--yes")
    own = project.home
    pid = project.outputs("Replica")["pid"]
    project.home = tmp_path / "another"
    for command in (["destroy", "--yes"], ["refresh", "--yes"]):
        done = project.run(*command, check=False)
        assert done.returncode == 1, command
        # A replica, a model and an environment say it alike: where they are.
        assert str(own) in done.stdout + done.stderr
    done = project.run("status", check=False)
    assert done.returncode == 1
    assert f"MLDEPLOY_HOME={own}" in done.stdout.replace("\n", "").replace(" ", "")
    assert f"MLDEPLOY_HOME={own}" in project.run("logs", "echo", check=False).stderr
    assert [one.pid for one in processes_of(own) if one.pid == pid]
    project.home = own
    project.run("destroy", "--yes")
    assert processes_of(own) == []
