"""Both engines take turns on one state: what one did, the other finds nothing to do about."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from mldeploy.engine.state import stack as stacks
from tests.engine.conformance import PASSPHRASE, CliRunner, EmbeddedRunner, StepSpec, Workspace

pytestmark = [
    pytest.mark.pulumi,
    pytest.mark.timeout(600),
    pytest.mark.skipif(shutil.which("pulumi") is None, reason="the Pulumi CLI is not on PATH"),
]

STEPS = {
    "create": """
import pulumi
from tp import Group, Provider, Res
c = pulumi.Config()
p = Provider("p", region="eu")
a = Res("a", value=pulumi.Output.secret("x"), text=pulumi.StringAsset("asset"))
Group("g", body=lambda g: {"id": Res("child", value=a.id, opts=pulumi.ResourceOptions(parent=g, provider=p)).id})
Res("z", force=1, opts=pulumi.ResourceOptions(additional_secret_outputs=["computed"], protect=True))
Res("d", dbr=1)
pulumi.export("a", a.computed)
pulumi.export("config", c.get_secret("hidden"))
""",
}
STEPS["change"] = (
    STEPS["create"]
    .replace('secret("x")', 'secret("y")')
    .replace("force=1", "force=2")
    .replace(", protect=True", "")
    .replace("dbr=1", "dbr=2")
)
STEPS["rename"] = (
    STEPS["change"]
    .replace('"a", value', '"b", name="a", value')
    .replace(
        'text=pulumi.StringAsset("asset")', 'opts=pulumi.ResourceOptions(aliases=[pulumi.Alias(name="a")])'
    )
)
STEPS["provider"] = STEPS["rename"].replace('region="eu"', 'region="us"')
STEPS["keep"] = STEPS["provider"] + (
    'Res("kept", put=True, name="kept", opts=pulumi.ResourceOptions(retain_on_delete=True))\n'
)
STEPS["leave"] = STEPS["provider"]
STEPS["import"] = STEPS["provider"] + (
    'Res("kept", put=True, name="kept", opts=pulumi.ResourceOptions(import_="kept"))\n'
)
STEPS["shrink"] = 'import pulumi\nfrom tp import Res\npulumi.export("x", 1)\n'


@pytest.fixture
def both(workspace: Workspace, tmp_path_factory: pytest.TempPathFactory):
    cli = CliRunner(workspace, tmp_path_factory.getbasetemp() / "home")
    return EmbeddedRunner(workspace), cli


@pytest.mark.parametrize("first", [0, 1], ids=["embedded first", "cli first"])
def test_turns(workspace: Workspace, both, first: int):
    """After every kind of change the other engine's preview expects no changes, and it makes the next change."""
    workspace._config("conf:hidden", "s3cret", "secret")
    for number, program in enumerate(STEPS.values()):
        doing, looking = both[(first + number) % 2], both[(first + number + 1) % 2]
        workspace.set_program(program)
        done = doing.run("up", [])
        assert done.ok, (number, done.messages)
        seen = looking.run("preview", ["--expect-no-changes"])
        assert seen.ok, (number, seen.messages, seen.steps)
        assert looking.run("refresh", []).ok
    assert both[first].run("destroy", []).ok
    assert not workspace.objects()


@pytest.mark.parametrize("first", [0, 1], ids=["embedded first", "cli first"])
def test_drift_and_targets(workspace: Workspace, both, first: int):
    """What one engine found by refreshing, or did to a part of the stack, the other goes on from."""
    one, other = both[first], both[1 - first]
    program = "from tp import Res\na = Res('a', value={0})\nRes('b', value=a.id)\nRes('c', value={0})\n"
    workspace.set_program(program.format(1))
    assert one.run("up", []).ok
    workspace.outside(StepSpec("edit", ["a-1", "value=7"], None, False, [], None, 0))
    workspace.outside(StepSpec("drop", ["c-1"], None, False, [], None, 0))
    refreshed = other.run("refresh", [])
    assert (refreshed.ok, refreshed.changes) == (True, {"same": 2, "update": 1, "delete": 1})
    repaired = one.run("up", [])
    assert (repaired.ok, repaired.changes) == (True, {"same": 2, "update": 1, "create": 1})
    workspace.set_program(program.format(2))
    part = other.run("up", ["--target", "{a}"])
    assert (part.ok, part.changes) == (True, {"same": 3, "update": 1})
    rest = one.run("up", [])
    assert (rest.ok, rest.changes) == (True, {"same": 3, "update": 1})
    assert other.run("destroy", []).ok
    assert not workspace.objects()


@pytest.mark.parametrize("failing", [0, 1], ids=["embedded fails", "cli fails"])
def test_one_finishes_what_the_other_could_not(workspace: Workspace, both, failing: int):
    workspace.set_program(
        "from tp import Res\nRes('a', force=1)\nRes('d', dbr=1)\nRes('k', fail=['delete'], force=1)\n"
    )
    assert both[failing].run("up", []).ok
    workspace.set_program(
        "from tp import Res\nRes('a', force=2)\nRes('d', dbr=2, fail=['create'])\nRes('k', force=1, fail=['delete'])\n"
    )
    assert not both[failing].run("up", ["--parallel", "1"]).ok
    workspace.set_program(
        "from tp import Res\nRes('a', force=2)\nRes('d', dbr=2)\nRes('k', force=1, fail=['delete'])\n"
    )
    finished = both[1 - failing].run("up", [])
    assert finished.ok, finished.messages
    assert not [r for r in finished.state if r.get("delete") or r.get("pendingReplacement")]
    assert sorted(r["id"] for r in finished.state if r["type"] == "tp:index:Res") == sorted(
        workspace.objects()
    )


def test_export_import_and_locks(workspace: Workspace, both, tmp_path: Path):
    embedded, cli = both
    workspace.set_program(STEPS["create"])
    assert embedded.run("up", []).ok
    exported = cli._pulumi("stack", "export", "--stack", "dev")
    assert exported.returncode == 0, exported.stderr
    before = workspace.state()
    url = workspace.state_url
    stacks.import_stack(workspace.folder, "dev", json.loads(exported.stdout), backend_url=url)
    assert workspace.state() == before
    file = tmp_path / "exported.json"
    file.write_text(json.dumps(stacks.export_stack(workspace.folder, "dev", backend_url=url)))
    imported = cli._pulumi("stack", "import", "--stack", "dev", "--file", str(file))
    assert imported.returncode == 0, imported.stderr
    assert workspace.state() == before
    outputs = cli._pulumi("stack", "output", "--stack", "dev", "--json", "--show-secrets")
    ours = stacks.output(workspace.folder, "dev", show_secrets=True, backend_url=url, passphrase=PASSPHRASE)
    assert json.loads(outputs.stdout) == ours
    listed = cli._pulumi("stack", "ls", "--json")
    assert [s["name"] for s in json.loads(listed.stdout)] == ["dev"]
    from mldeploy.engine.state.lock import StackLock

    with StackLock(workspace.folder / "state/.pulumi/locks/organization/conf/dev"):
        refused = cli.run("up", [])
        assert not refused.ok
        assert "locked by 1 lock" in refused.messages
