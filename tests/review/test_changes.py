"""`mldeploy promote` and `rollback`."""

import subprocess

import pytest
import yaml

from mldeploy.edits import changes
from mldeploy.engine import ResourceState
from mldeploy.operations import OperationError
from mldeploy.session import Session
from tests.lifecycle.project import Project, free_port

URN = "urn:pulumi:prod::t::"


@pytest.fixture
def project(tmp_path):
    """Stacks dev and prod of one local service, each on a port of its own."""
    made = Project(
        tmp_path / "project", tmp_path / "home", "embedded", {"PULUMI_CONFIG_PASSPHRASE": "for this test"}
    )
    made.echo()
    for stack in ("dev", "prod"):
        made.write(f"Pulumi.{stack}.yaml", "config: {}\n")
        made.write(
            f"manifest.{stack}.yaml", f"version: 1\n# a comment\nservices:\n  echo: {{port: {free_port()}}}\n"
        )
    yield made
    for stack in ("dev", "prod"):
        if list(made.root.glob(f".pulumi-state/.pulumi/stacks/*/{stack}.json")):
            made.run("destroy", "--yes", "--stack", stack)


def test_promote(project):
    project.run("up", "--yes", "--stack", "dev")
    overlay = project.root / "manifest.prod.yaml"
    before = overlay.read_text()
    said = project.run("promote", "--from", "dev", "--to", "prod", "--dry-run").stdout
    assert "+    version: " in said
    assert overlay.read_text() == before
    # Another content in this checkout is not what dev has tried.
    project.model(9)
    done = project.run("promote", "--from", "dev", "--to", "prod", "--yes", check=False)
    assert done.returncode == 1
    assert "check out the commit that dev was deployed from" in done.stderr
    project.model(2)
    project.run("promote", "--from", "dev", "--to", "prod", "--yes")
    assert "# a comment" in overlay.read_text()
    document = yaml.safe_load(overlay.read_text())
    assert len(document["models"]["echo"]["version"]) == 12
    assert "healthy" in project.run("status", "--stack", "prod").stdout


def test_promote_needs_a_deployed_source(project):
    done = project.run("promote", "--from", "dev", "--to", "prod", "--yes", check=False)
    assert done.returncode == 1
    assert "has no models" in done.stderr or "no stack" in done.stderr


def test_rollback_is_for_clusters(project):
    done = project.run("rollback", "echo", "--stack", "dev", "--yes", check=False)
    assert done.returncode == 1
    assert "take the change back in version control" in done.stderr


@pytest.fixture
def cluster(tmp_path, monkeypatch):
    """A project whose service is on a cluster, with a state that keeps two versions."""
    (tmp_path / "scripts").mkdir()
    (tmp_path / "scripts/score.py").write_text("")
    (tmp_path / "m.pkl").write_text("m")
    (tmp_path / "manifest.yaml").write_text(
        "version: 1\nmodels: {m: {source: m.pkl}}\n"
        "images: {i: {models: [m], source_directory: scripts, entry_script: score.py}}\n"
        "targets: {k: {type: kubernetes, registry: {address: reg.example.org}}}\n"
        "services: {churn: {image: i, target: k, keep_previous: 2}}\n"
    )
    state = ResourceState(
        urn=f"{URN}mldeploy:service:AksEndpoint$mldeploy:kubernetes:Rollout::churn-rollout",
        type="mldeploy:kubernetes:Rollout",
        outputs={"serving": "v3", "kept": ["v3", "v2", "v1"]},
    )
    monkeypatch.setattr(changes, "_resources", lambda session: [state])
    return Session(tmp_path, "prod"), state


def test_rollback_promotes_the_newest_kept_version(cluster):
    edit = changes.rollback(cluster[0], "churn", None)
    assert yaml.safe_load(edit.after)["services"]["churn"]["rollout"] == {"promote": "v2"}
    edit.apply()
    assert edit.file.exists()
    edit.undo()
    assert not edit.file.exists()
    assert changes.rollback(cluster[0], "churn", "v1").after.count("v1") == 1


def test_rollback_to_what_is_not_kept(cluster):
    with pytest.raises(OperationError, match="no kept version 'v9'; kept are v2, v1"):
        changes.rollback(cluster[0], "churn", "v9")
    cluster[1].outputs["kept"] = ["v3"]
    with pytest.raises(OperationError, match="`keep_previous: 1`"):
        changes.rollback(cluster[0], "churn", None)
    with pytest.raises(OperationError, match="no service 'x'; the manifest has churn"):
        changes.rollback(cluster[0], "x", None)


def test_promote_to_itself(project):
    done = project.run("promote", "--from", "dev", "--to", "dev", "--yes", check=False)
    assert done.returncode == 1
    assert "are the same stack" in done.stderr


def test_a_state_without_a_version(cluster, monkeypatch):
    model = ResourceState(urn=f"{URN}mldeploy:model:StoredModel::m-files", type="mldeploy:model:StoredModel")
    model.inputs, model.outputs = {"name": "m"}, {"digest": "d"}
    monkeypatch.setattr(changes, "_resources", lambda session: [model])
    monkeypatch.setattr(changes, "_same_content", lambda *arguments: None)
    with pytest.raises(OperationError, match="has no version of model 'm'"):
        changes.promote(Session(cluster[0].project, "dev"), cluster[0])


def test_a_failed_promotion_leaves_the_manifest(project):
    """The new stack's port is taken: the update fails, the file is as it was, and the command says so."""
    project.run("up", "--yes", "--stack", "dev")
    port = yaml.safe_load((project.root / "manifest.dev.yaml").read_text())["services"]["echo"]["port"]
    overlay = project.root / "manifest.prod.yaml"
    overlay.write_text(f"version: 1\n# mine\nservices:\n  echo: {{port: {port}}}\n")
    before = overlay.read_bytes()
    done = project.run("promote", "--from", "dev", "--to", "prod", "--yes", check=False)
    assert done.returncode == 1
    assert "manifest.prod.yaml is as it was" in done.stderr
    assert overlay.read_bytes() == before


def test_files_that_are_not_committed_are_named(project):
    project.run("up", "--yes", "--stack", "dev")
    git = ["git", "-c", "user.name=t", "-c", "user.email=t@example.org"]
    for command in (["init", "-q"], ["add", "manifest.prod.yaml", "scripts"], ["commit", "-qm", "x"]):
        subprocess.run([*git, *command], cwd=project.root, check=True, capture_output=True)
    done = project.run("promote", "--from", "dev", "--to", "prod", "--dry-run")
    assert "not committed" not in done.stderr
    (project.root / "scripts/score.py").write_text("x = 1\n")
    done = project.run("promote", "--from", "dev", "--to", "prod", "--dry-run")
    assert "note: not committed, and applied too: scripts/score.py" in done.stderr
