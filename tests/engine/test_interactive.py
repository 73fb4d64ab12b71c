"""`mldeploy up` as people run it: a preview, a question, the update; each as fresh as the CLI's."""

from __future__ import annotations

from pathlib import Path

import pytest
import typer

from mldeploy.cli.embedded import EmbeddedRunner
from mldeploy.cli.operation import Operation, RunOptions
from mldeploy.session import Session
from tests.engine.conformance import Workspace
from tests.engine.test_policy import PACK

STAINING = """
import colorsys, os, pulumi
colorsys.seen = getattr(colorsys, "seen", 0) + 1
os.environ["SEEN"] = os.environ.get("SEEN", "") + "x"
pulumi.export("seen", [colorsys.seen, os.environ["SEEN"]])
"""
UNLUCKY = "from tp import Res\nRes('a', value=1, owner='x')\nRes('b', value=13, owner='x')\n"


@pytest.fixture
def runner(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> EmbeddedRunner:
    monkeypatch.setenv("PULUMI_BACKEND_URL", workspace.state_url)
    monkeypatch.chdir(workspace.folder)
    return EmbeddedRunner(Session(workspace.folder, "dev"))


def test_an_update_knows_nothing_of_its_preview(
    workspace: Workspace, runner: EmbeddedRunner, monkeypatch: pytest.MonkeyPatch
):
    asked: list[str] = []
    monkeypatch.setattr(typer, "confirm", lambda question: not asked.append(question))
    workspace.set_program(STAINING)
    assert runner.run(Operation.UP, RunOptions(ask=True)).ok
    assert len(asked) == 1
    assert workspace.state()[0]["outputs"] == {"seen": [1, "x"]}


@pytest.mark.parametrize("ask", [True, False], ids=["asked", "--yes"])
def test_a_mandatory_violation_comes_before_any_change(
    workspace: Workspace,
    runner: EmbeddedRunner,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    ask: bool,
):
    pytest.importorskip("pulumi_policy", reason="policy packs need the pulumi-policy package")
    pack = tmp_path / "pack"
    pack.mkdir()
    (pack / "PulumiPolicy.yaml").write_text("runtime: python\n")
    (pack / "__main__.py").write_text(PACK)
    workspace.set_program(UNLUCKY)
    outcome = runner.run(Operation.UP, RunOptions(ask=ask, policy_packs=(pack,)))
    assert not outcome.ok
    assert "house unlucky" in (outcome.error or "")
    shown = capfd.readouterr()
    assert (shown.out + shown.err).count("thirteen is unlucky") == 1
    assert not workspace.objects(), "the lucky one is not made either"
    assert not workspace.state()
