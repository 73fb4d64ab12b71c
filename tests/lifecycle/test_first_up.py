"""From a manifest to an answer, and nothing to do afterwards."""

import json
import shutil
import time

import pytest

from mldeploy.cli import main
from tests.lifecycle.conftest import engines, processes_of


@pytest.mark.parametrize("engine", engines())
def test_up_scores_and_a_second_up_has_nothing_to_do(make_project, engine):
    project = make_project(engine)
    port = project.echo(factor=3)
    first = project.change("up")
    assert first["create"] > 0
    assert project.post("echo", {"x": [1, 5]}).json() == {"scaled": [3, 15], "factor": 3}
    row = project.status()["echo"]
    assert row["state"] == "healthy"
    assert row["target"] == "here"
    assert row["scoring_uri"] == f"http://127.0.0.1:{port}/score"
    assert row["swagger_uri"] == f"http://127.0.0.1:{port}/swagger.json"
    assert list(row["models"]) == ["echo"]
    second = project.change("up", "--expect-no-changes")
    assert {k: v for k, v in second.items() if v and k != "same"} == {}
    answer = project.run("score", "echo", "--data", "golden/echo.json").stdout
    assert json.loads(answer) == {"scaled": [3, 6], "factor": 3}


@pytest.mark.parametrize("engine", engines())
def test_destroy_leaves_nothing(make_project, engine):
    project = make_project(engine)
    project.echo()
    project.run("up", "--yes")
    assert processes_of(project.home)
    project.run("destroy", "--yes")
    assert processes_of(project.home) == []
    assert project.resources() == []
    left = [p for p in project.home.rglob("*") if p.is_file() and p.name not in (".lock", "hashes.sqlite")]
    assert left == []
    assert project.states() == {"echo": "missing"}


def test_a_copy_of_the_checkout_has_nothing_to_do(project, tmp_path):
    project.echo()
    project.run("up", "--yes")
    copy = tmp_path / "somewhere-else"
    shutil.copytree(project.root, copy)
    project.root, original = copy, project.root
    started = time.monotonic()
    changes = project.change("up", "--expect-no-changes")
    assert time.monotonic() - started < 30  # under 5 s on an idle machine; bench/ measures it
    assert changes["same"] > 0
    assert project.run("status", subprocess=True).returncode == 0
    assert project.post("echo", {"x": [1]}).json()["scaled"] == [2]
    project.root = original


@pytest.mark.pulumi
@pytest.mark.skipif(not shutil.which("pulumi"), reason="needs the Pulumi CLI (`pulumi`) on PATH")
@pytest.mark.parametrize(("first", "second"), [("embedded", "pulumi"), ("pulumi", "embedded")])
def test_the_engines_take_turns_on_one_state(make_project, first, second):
    project = make_project(first)
    project.echo(auth_enabled=True)
    project.run("up", "--yes")
    project.engine = second
    project.run("preview", "--expect-no-changes")
    project.model(5)
    project.run("up", "--yes")
    project.engine = first
    project.run("preview", "--expect-no-changes")
    project.run("destroy", "--yes")


def test_commands_say_what_is_wrong(project):
    project.echo()
    done = project.run("score", "echo", "--data", "golden/echo.json", check=False)
    assert done.returncode == 1
    assert "run `mldeploy up` first" in done.stderr
    project.run("up", "--yes")
    done = project.run("logs", "ehco", check=False)
    assert done.returncode == 1
    assert 'did you mean "echo"?' in done.stderr
    done = project.run("score", "echo", "--data", "nowhere.json", check=False)
    assert done.returncode == 2
    assert "nowhere.json" in done.stderr
    done = project.run("up", "--stack", "a b", check=False)
    assert done.returncode == 2
    done = project.run("up", "--nonsense", check=False)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr


def test_a_bad_manifest_is_exit_code_2_and_changes_nothing(project):
    project.echo()
    project.run("up", "--yes")
    before = project.state_file().read_bytes()
    project.edit_manifest(lambda m: m["services"]["echo"].update(target="hree", prot=1))
    done = project.run("up", "--yes", check=False)
    assert done.returncode == 2
    assert 'did you mean "here"?' in done.stderr
    assert 'did you mean "port"?' in done.stderr
    assert project.state_file().read_bytes() == before


def test_a_home_that_cannot_be_used_is_exit_code_2(project):
    project.echo()
    project.run("up", "--yes")
    (project.root / "file").touch()
    project.environment["MLDEPLOY_HOME"] = str(project.root / "file" / "home")
    done = project.run("status", check=False)
    assert done.returncode == 2
    assert "cannot be used: Not a directory; set MLDEPLOY_HOME to a folder" in done.stderr
    del project.environment["MLDEPLOY_HOME"]


def test_an_interrupt_while_the_command_loads_is_no_traceback(monkeypatch):
    def interrupted(arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr("mldeploy.cli.app.run", interrupted)
    monkeypatch.setattr("sys.argv", ["mldeploy", "status"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 130
