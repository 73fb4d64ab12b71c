"""`mldeploy stack` and `mldeploy cancel` on a real stack's state."""

import json

from tests.lifecycle.project import Project


def test_export_import_output_ls_and_rm(project: Project):
    project.echo(auth_enabled=True)
    project.run("up", "--yes")
    assert json.loads(project.run("stack", "ls", "--json").stdout) == [{"name": "local"}]
    outputs = json.loads(project.run("stack", "output").stdout)
    assert outputs["keys"] == {"echo": "[secret]"}
    keys = json.loads(project.run("keys", "echo", "--show", "--json").stdout)
    shown = json.loads(project.run("stack", "output", "keys", "--show-secrets").stdout)
    assert shown == {"echo": keys}
    project.run("stack", "export", "--file", "exported.json")
    exported = json.loads((project.root / "exported.json").read_text())
    assert exported["version"] == 3
    assert keys["primary"] not in (project.root / "exported.json").read_text()
    refused = project.run("stack", "rm", "local", "--yes", check=False)
    assert refused.returncode == 1
    assert "still has" in refused.stderr
    project.run("stack", "import", "--file", "exported.json")
    project.run("preview", "--expect-no-changes")
    project.run("destroy", "--yes")
    project.run("stack", "rm", "local", "--yes", "--preserve-config")
    assert project.run("stack", "ls").stdout.strip() == "no stacks"


def test_bad_input_is_said_and_changes_nothing(project: Project):
    project.echo()
    project.run("up", "--yes")
    before = project.state_file().read_bytes()
    project.write("broken.json", "{not json")
    done = project.run("stack", "import", "--file", "broken.json", check=False)
    assert done.returncode == 2
    assert "broken.json: not an exported state" in done.stderr
    assert project.state_file().read_bytes() == before
    done = project.run("stack", "output", "nothing", check=False)
    assert done.returncode == 2
    assert "it has: about, keys, models, services" in done.stderr
    assert "is not locked" in project.run("cancel").stdout
