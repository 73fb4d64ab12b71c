"""Policy packs: mandatory stops, advisory prints, remediation changes, a stack rule sees everything."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mldeploy.engine import Engine, Options
from tests.engine.conformance import PASSPHRASE, EmbeddedRunner, Workspace
from tests.engine.testprovider import TestProvider

pytest.importorskip("pulumi_policy", reason="policy packs need the pulumi-policy package")

PACK = """
from pulumi_policy import *

def unlucky(args, report):
    if args.resource_type == "tp:index:Res" and args.props.get("value") == 13:
        report("thirteen is unlucky")

def note(args, report):
    if args.resource_type == "tp:index:Res" and "owner" not in args.props:
        report(f"{args.name} has no owner ({args.get_config().get('hint', 'none')})")

def few(args, report):
    if sum(r.resource_type == "tp:index:Res" for r in args.resources) > 2:
        report("too many resources")

def stamp(args):
    if args.resource_type == "tp:index:Res" and args.props.get("value") == 7:
        return {**args.props, "stamped": "yes"}

PolicyPack("house", enforcement_level=EnforcementLevel.MANDATORY, policies=[
    ResourceValidationPolicy("unlucky", "no thirteen", unlucky),
    ResourceValidationPolicy("owner", "has an owner", note, enforcement_level=EnforcementLevel.ADVISORY,
        config_schema=PolicyConfigSchema(properties={"hint": {"type": "string", "default": "default hint"}})),
    StackValidationPolicy("few", "not too many", few),
    ResourceValidationPolicy("stamp", "stamps sevens", remediate=stamp, enforcement_level=EnforcementLevel.REMEDIATE),
])
"""


@pytest.fixture
def pack(tmp_path: Path) -> Path:
    folder = tmp_path / "pack"
    folder.mkdir()
    (folder / "PulumiPolicy.yaml").write_text("runtime: python\nversion: 1.2.3\n")
    (folder / "__main__.py").write_text(PACK)
    return folder


def run(workspace: Workspace, command: str, pack: Path, config: Path | None = None):
    events: list[dict] = []
    engine = Engine(
        workspace.folder,
        "dev",
        backend_url=workspace.state_url,
        passphrase=PASSPHRASE,
        sink=events.append,
        providers={"tp": lambda: TestProvider(workspace.objects_dir)},
    )
    options = Options(policy_packs=[pack], policy_pack_configs=[config] if config else [])
    result = getattr(engine, command)(options)
    return result, [e["policyEvent"] for e in events if "policyEvent" in e]


def test_advisory_prints(workspace: Workspace, pack: Path):
    workspace.set_program("from tp import Res\nRes('a', value=1)\n")
    result, violations = run(workspace, "up", pack)
    assert result.ok
    assert [v["policyName"] for v in violations] == ["owner"]
    assert violations[0]["enforcementLevel"] == "advisory"
    assert violations[0]["policyPackVersion"] == "1.2.3"
    assert "default hint" in violations[0]["message"]


def test_mandatory_stops_and_nothing_is_deleted(workspace: Workspace, runner: EmbeddedRunner, pack: Path):
    workspace.set_program("from tp import Res\nRes('keep', owner='x')\n")
    assert runner.run("up", []).ok
    workspace.set_program("from tp import Res\nRes('a', value=13, owner='x')\n")
    for command in ("preview", "up"):
        result, violations = run(workspace, command, pack)
        assert not result.ok
        assert "house unlucky" in result.error
        assert [v["enforcementLevel"] for v in violations] == ["mandatory"]
        assert "thirteen is unlucky" in violations[0]["message"]
        assert sorted(workspace.objects()) == ["keep-1"]


def test_stack_rule(workspace: Workspace, pack: Path):
    workspace.set_program("from tp import Res\nfor n in 'abc':\n    Res(n, owner='x')\n")
    result, violations = run(workspace, "preview", pack)
    assert not result.ok
    assert "house few" in result.error
    assert violations[-1]["policyName"] == "few"
    assert "too many resources" in violations[-1]["message"]


def test_remediation_and_config(workspace: Workspace, pack: Path, tmp_path: Path):
    config = tmp_path / "config.json"
    config.write_text(json.dumps({"owner": {"enforcementLevel": "disabled"}, "few": "advisory"}))
    workspace.set_program("from tp import Res\nfor n in 'abc':\n    Res(n, value=7)\n")
    result, violations = run(workspace, "up", pack, config)
    assert result.ok, result.error
    assert {v["policyName"] for v in violations} == {"few"}
    assert all(o["stamped"] == "yes" for o in workspace.objects().values())


def test_broken_packs(workspace: Workspace, pack: Path, tmp_path: Path):
    workspace.set_program("pass\n")
    (pack / "__main__.py").write_text("raise SystemExit('no luck')\n")
    result, _ = run(workspace, "up", pack)
    assert "ended before it named its port" in result.error
    assert "no luck" in result.error
    result, _ = run(workspace, "up", tmp_path / "nowhere")
    assert "cannot read PulumiPolicy.yaml" in result.error
