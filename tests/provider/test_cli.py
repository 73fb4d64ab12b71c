"""The plugin under the real Pulumi CLI: create, no-op, replace, drift, update, destroy."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from mldeploy.provider.local.runs import Run, runs

from .conftest import kill, write

ROOT = Path(__file__).parents[2]
PASSPHRASE = "planted-passphrase-77"

pytestmark = [
    pytest.mark.pulumi,
    pytest.mark.skipif(shutil.which("pulumi") is None, reason="needs the Pulumi CLI on PATH"),
]


@pytest.fixture
def pulumi(project, port, tmp_path, own_home):
    write(
        project,
        "Pulumi.yaml",
        f"""
        name: shop
        runtime: {{name: python, options: {{toolchain: pip, virtualenv: {sys.prefix}}}}}
        plugins: {{providers: [{{name: mldeploy, path: {ROOT}/mldeploy/provider/bin}}]}}
        """,
    )
    write(
        project,
        "__main__.py",
        f"""
        import sys; sys.path.insert(0, {str(ROOT)!r})
        import pulumi
        from components.sdk.local import Environment, Gate, Listener, Replica, ServiceKeys, StoredModel

        m = StoredModel("m", name="m", source="models/m.txt")
        i = Environment("i", image="i", source_directory="scripts", entry_script="score.py")
        k = ServiceKeys("k", generation_primary=pulumi.Config().get_int("generation") or 1)
        r = Replica("r", service="s", image=i.digest, environment_digest=i.environment_digest,
                    source_directory="scripts", entry_script="score.py", auth_enabled=True,
                    models=[{{"name": "m", "version": m.version, "digest": m.digest}}],
                    keys={{"primary": k.primary, "secondary": k.secondary}})
        g = Gate("g", service="s", replica=r.id, golden=[{{"request": "golden/request.json"}}])
        l = Listener("l", service="s", port={port}, replica=r.id, models={{"m": m.version}},
                     opts=pulumi.ResourceOptions(depends_on=[g]))
        pulumi.export("uri", l.scoring_uri)
        pulumi.export("key", k.primary)
        """,
    )
    (tmp_path / "state").mkdir()
    environment = os.environ | {
        "PULUMI_BACKEND_URL": f"file://{tmp_path}/state",
        "PULUMI_HOME": str(tmp_path / "pulumi-home"),
        "PULUMI_CONFIG_PASSPHRASE": PASSPHRASE,
        "PULUMI_SKIP_UPDATE_CHECK": "1",
        "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "1",
    }

    def run(*arguments):
        command = ["pulumi", *arguments, "--non-interactive", "--cwd", str(project)]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=240)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    run("stack", "init", "local")
    yield run
    if list(runs("replicas")):
        run("destroy", "--yes", "--skip-preview")


def ask(pulumi, uri, key):
    return httpx.post(uri, content=b"{}", headers={"Authorization": f"Bearer {key}"}, timeout=10)


def test_a_service_through_its_life(pulumi, project, tmp_path, own_home):
    pulumi("up", "--yes", "--skip-preview")
    outputs = json.loads(pulumi("stack", "output", "--json", "--show-secrets"))
    assert ask(pulumi, **outputs).json()["model"] == "one"
    pulumi("preview", "--expect-no-changes")

    (project / "models" / "m.txt").write_text("two")
    (listener,) = runs("listeners")
    kill(listener.process()[0])
    pulumi("config", "set", "generation", "2")
    printed = pulumi("up", "--yes", "--skip-preview", "--refresh")
    assert "is not running" in printed
    rotated = json.loads(pulumi("stack", "output", "--json", "--show-secrets"))
    assert rotated["uri"] == outputs["uri"] and rotated["key"] != outputs["key"]
    assert ask(pulumi, **rotated).json()["model"] == "two" and ask(pulumi, **outputs).status_code == 401
    assert len(list(runs("replicas"))) == 1

    state = "".join(path.read_text() for path in (tmp_path / "state").rglob("*.json"))
    files = [path for path in own_home.rglob("*") if path.is_file()]
    assert PASSPHRASE not in state and outputs["key"] not in state and rotated["key"] not in state
    assert not [path for path in files if PASSPHRASE.encode() in path.read_bytes()]
    replica = next(iter(runs("replicas")))
    assert PASSPHRASE.encode() not in Path(f"/proc/{replica.process()[0]}/environ").read_bytes()

    pulumi("destroy", "--yes", "--skip-preview")
    assert not Run("replicas", replica.ident).path.exists() and not replica.alive()
    with pytest.raises(httpx.ConnectError):
        ask(pulumi, **rotated)
