"""A planted secret is found nowhere: state, logs, process list, environment, output, exceptions."""

import psutil
import pytest

from tests.lifecycle.conftest import engines, processes_of

PLANTED = "planted-s3cret-value-0123456789"


@pytest.mark.parametrize("engine", engines())
def test_no_secret_leaves(make_project, engine):
    project = make_project(engine, PRIMARY=PLANTED, PULUMI_CONFIG_PASSPHRASE="planted-passphrase-42")
    project.apart = True  # so that what the test itself keeps in memory is not what is looked at
    project.echo(auth_enabled=True, primary_key={"env": "PRIMARY"})
    printed = project.run("up", "--yes", "--diff")
    project.post("echo", {"x": [1]}, PLANTED)
    project.post("echo", {"x": [1]}, "wrong")
    texts = {"up": printed.stdout + printed.stderr}
    texts["preview"] = project.run("preview", "--diff").stdout
    texts["json"] = project.run("preview", "--json").stdout
    texts["status"] = project.run("status").stdout
    texts["logs"] = project.run("logs", "echo").stdout
    texts["keys"] = project.run("keys", "echo").stdout
    project.write("scripts/score.py", "def init():\n    raise RuntimeError('x')\ndef run(raw):\n    pass\n")
    failed = project.run("up", "--yes", "--diff", check=False)
    assert failed.returncode == 1
    texts["failure"] = failed.stdout + failed.stderr
    for process in processes_of(project.home):
        texts[f"process {process.pid}"] = " ".join(process.cmdline())
        texts[f"environment {process.pid}"] = str(process.environ())
    assert sum(name.startswith("process") for name in texts) >= 2
    for path in (project.root / ".pulumi-state").rglob("*"):
        if path.is_file():
            texts[str(path)] = path.read_text(errors="replace")
    for path in project.home.rglob("*"):
        if path.is_file() and path.name != "keys.json" and "environments" not in path.parts:
            texts[str(path)] = path.read_text(errors="replace")
    assert psutil.pid_exists(project.outputs("Listener")["pid"])
    for place, text in texts.items():
        assert PLANTED not in text, place
        assert "planted-passphrase-42" not in text, place
    for path in project.home.rglob("keys.json"):
        assert path.stat().st_mode & 0o077 == 0
    assert project.run("keys", "echo", "--show").stdout.count(PLANTED) == 1
