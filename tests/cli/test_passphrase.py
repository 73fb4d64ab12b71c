"""No key is ever written in clear: each stack's name with each way to have, or not to have, a passphrase."""

from __future__ import annotations

import json
import shutil

import pytest

from mldeploy.cli import guards
from mldeploy.session import PASSPHRASE_FILE, Session
from tests.lifecycle.conftest import HAS_PULUMI
from tests.lifecycle.project import Project
from tests.secrets.watch import Watch

PLANTED = "planted-passphrase-0123456789"
STACKS = ("local", "dev", "prod", "team.x_1-b")
ACCEPTED = {
    "variable": {"PULUMI_CONFIG_PASSPHRASE": PLANTED},
    "empty variable": {"PULUMI_CONFIG_PASSPHRASE": ""},
    "file": {"PULUMI_CONFIG_PASSPHRASE_FILE": "{root}/secret.txt"},
    "typed": {},
    "own file": {},
}
REFUSED = {
    "nothing": ({}, "needs a passphrase for its secrets; set PULUMI_CONFIG_PASSPHRASE"),
    "a file that is not there": (
        {"PULUMI_CONFIG_PASSPHRASE_FILE": "{root}/gone.txt"},
        "PULUMI_CONFIG_PASSPHRASE_FILE: cannot read",
    ),
}


@pytest.fixture(autouse=True)
def nothing_typed(monkeypatch):
    monkeypatch.setattr("mldeploy.session._TYPED", {})


@pytest.fixture(scope="module")
def shared_home(tmp_path_factory):
    """The environment of the service is built once."""
    return tmp_path_factory.mktemp("home")


def make(folder, home, stack: str, variables: dict[str, str], engine: str = "embedded") -> Project:
    project = Project(folder / "project", home, engine)
    project.environment = {k: v.format(root=project.root) for k, v in variables.items()}
    project.write("secret.txt", PLANTED + "\n")
    project.echo(auth_enabled=True)
    (project.root / "Pulumi.local.yaml").unlink()
    project.write(f"manifest.{stack}.yaml", {"version": 1})
    return project


def keys(project: Project, stack: str) -> set[str]:
    shown = json.loads(project.run("keys", "echo", "--show", "--json", "--stack", stack).stdout)
    assert len(set(shown.values())) == 2
    return set(shown.values())


CASES = [
    *(pytest.param("embedded", stack, id=f"embedded-{stack}") for stack in STACKS),
    *(
        pytest.param(
            "pulumi",
            stack,
            id=f"pulumi-{stack}",
            marks=[
                pytest.mark.pulumi,
                pytest.mark.reliability,  # half a minute each
                pytest.mark.skipif(not HAS_PULUMI, reason="needs the Pulumi CLI (`pulumi`) on PATH"),
            ],
        )
        for stack in ("local", "prod")
    ),
]


@pytest.mark.parametrize("situation", ACCEPTED)
@pytest.mark.parametrize(("engine", "stack"), CASES)
def test_no_key_is_in_clear(tmp_path, shared_home, monkeypatch, engine, stack, situation):
    project = make(tmp_path, shared_home, stack, ACCEPTED[situation], engine)
    if situation == "own file" and stack != "local":
        pytest.skip("only the local stack has a passphrase of its own")
    if situation == "typed":
        if stack == "local":
            pytest.skip("the local stack has a passphrase of its own")
        asked: list[str] = []
        monkeypatch.setattr(guards, "is_terminal", lambda: True)
        monkeypatch.setattr(guards.getpass, "getpass", lambda prompt: asked.append(prompt) or PLANTED)
    watch = Watch(project)
    watch.run("up", "--yes", "--stack", stack)
    try:
        if situation == "typed":
            assert asked == [f"new passphrase of stack '{stack}': ", "once more: "]
        found = keys(project, stack)
        watch.run("status", "--stack", stack)
        watch.run("logs", "echo", "--stack", stack)
        watch.run("refresh", "--yes", "--stack", stack)
        assert any("/backups/" in place for place in watch.texts)
        assert any("/history/" in place for place in watch.texts)
        assert sum(place.startswith("process") for place in watch.texts) >= 2
        secret = {*found, PLANTED} - {""}
        leaks = {
            (place, text)
            for place, whole in watch.texts.items()
            for text in secret
            if text in whole and not place.endswith("/secret.txt")
        }
        assert leaks == set()
        assert not any('"plaintext"' in whole for whole in watch.texts.values())
    finally:
        project.run("destroy", "--yes", "--stack", stack)


@pytest.mark.parametrize("operation", ["up", "refresh", "destroy"])
@pytest.mark.parametrize("situation", REFUSED)
@pytest.mark.parametrize("stack", STACKS[1:])
def test_without_one_nothing_is_made(tmp_path, shared_home, stack, situation, operation):
    variables, words = REFUSED[situation]
    project = make(tmp_path, shared_home, stack, variables)
    before = sorted(path for path in project.root.rglob("*") if path.is_file())
    done = project.run(operation, "--yes", "--stack", stack, check=False)
    assert done.returncode == 2
    assert words in done.stderr
    assert sorted(path for path in project.root.rglob("*") if path.is_file()) == before


def test_a_wrong_one_and_a_lost_one(project):
    project.echo(auth_enabled=True)
    project.run("up", "--yes")
    before = project.state_file().read_bytes()
    project.environment["PULUMI_CONFIG_PASSPHRASE"] = "another"
    done = project.run("up", "--yes", check=False)
    assert (done.returncode, "incorrect passphrase for stack 'local'" in done.stderr) == (2, True)
    del project.environment["PULUMI_CONFIG_PASSPHRASE"]
    file = project.root / PASSPHRASE_FILE
    kept = file.rename(project.root / "kept")
    for command in (["up", "--yes"], ["keys", "echo"], ["destroy", "--yes"], ["preview"]):
        done = project.run(*command, check=False)
        assert done.returncode == 2, command
        assert f"their passphrase was in {file}, which is gone" in done.stderr
        assert not file.exists()
    assert project.state_file().read_bytes() == before
    found = {one["what"]: one for one in json.loads(project.run("doctor", "--json", check=False).stdout)}
    assert found["passphrase"]["level"] == "problem"
    kept.rename(file)
    project.run("keys", "echo")


def test_another_machines_salt_is_no_lost_passphrase(project):
    """`encryptionsalt` of a fresh clone: nothing was encrypted with it here."""
    project.write("Pulumi.local.yaml", "encryptionsalt: v1:abc=:v1:def:ghi\nconfig: {}\n")
    project.echo()
    project.run("up", "--yes")
    assert "v1:abc=" not in (project.root / "Pulumi.local.yaml").read_text()


def test_a_typed_passphrase_is_asked_for_until_it_fits(tmp_path, monkeypatch, capsys):
    (tmp_path / "Pulumi.yaml").write_text("name: p\nruntime: python\n")
    for name in ("PULUMI_CONFIG_PASSPHRASE", "PULUMI_CONFIG_PASSPHRASE_FILE", "PULUMI_BACKEND_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(guards, "is_terminal", lambda: True)
    typed = iter(["", "one", "two", "three", "three"])
    monkeypatch.setattr(guards.getpass, "getpass", lambda prompt: next(typed))
    session = Session(tmp_path, "dev")
    guards.passphrase(session, pulumi=False)
    assert session.passphrase() == "three"
    assert session.environment()["PULUMI_CONFIG_PASSPHRASE"] == "three"
    assert "must not be empty" in (said := capsys.readouterr().err)
    assert "not the same" in said


# --- secrets that are in clear already --------------------------------------------------------------------


def clear(project: Project) -> set[str]:
    """Put the state, its backups and its history in clear, as an earlier version left them."""
    shown = json.loads(project.run("stack", "export", "--show-secrets").stdout)["deployment"]
    shown.pop("secrets_providers", None)
    folder = project.root / ".pulumi-state/.pulumi"
    files = [*folder.rglob("local.json"), *folder.rglob("local.json.bak"), *folder.glob("backups/*/*/*.json")]
    files += folder.glob("history/*/*/*.checkpoint.json")
    assert len(files) >= 4
    for file in files:
        document = json.loads(file.read_text())
        document["checkpoint"]["latest"] = shown
        file.write_text(json.dumps(document))
    return set(json.loads(project.run("keys", "echo", "--show", "--json").stdout).values())


@pytest.mark.parametrize("engine", ["embedded", pytest.param("pulumi", marks=pytest.mark.pulumi)])
def test_what_is_in_clear_is_named_and_encrypted(make_project, engine):
    if engine == "pulumi" and shutil.which("pulumi") is None:
        pytest.skip("needs the Pulumi CLI (`pulumi`) on PATH")
    project = make_project(engine)
    project.echo(auth_enabled=True)
    project.run("up", "--yes")
    project.run("refresh", "--yes")
    known = clear(project)
    named = {one["what"]: one for one in json.loads(project.run("doctor", "--json", check=False).stdout)}
    assert named["secrets in clear"]["level"] == "problem"
    said = project.run("up", "--yes")
    assert "are encrypted now" in said.stdout + said.stderr
    for path in (project.root / ".pulumi-state").rglob("*"):
        if path.is_file():
            assert not any(key in path.read_text(errors="replace") for key in known), path
            assert '"plaintext"' not in path.read_text(errors="replace"), path
    assert set(json.loads(project.run("keys", "echo", "--show", "--json").stdout).values()) == known
    assert "are encrypted now" not in project.run("up", "--yes").stdout
    named = {one["what"] for one in json.loads(project.run("doctor", "--json", check=False).stdout)}
    assert "secrets in clear" not in named


def test_an_exported_state_with_secrets_is_private(project):
    project.echo(auth_enabled=True)
    project.run("up", "--yes")
    project.run("stack", "export", "--show-secrets", "--file", "state.json")
    assert (project.root / "state.json").stat().st_mode & 0o077 == 0
    project.run("stack", "import", "--file", "state.json")
    assert '"plaintext"' not in project.state_file().read_text()
