"""The conformance suite: every program on the embedded engine, and on the CLI where it is installed."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.engine.conformance import PROGRAMS, CliRunner, EmbeddedRunner, Workspace, check, load

NAMES = sorted(p.stem for p in PROGRAMS.glob("[0-9A-Z]*_*.py"))
ENGINE_COMMANDS = ("preview", "up", "refresh", "destroy", "state", "stack")


def test_there_are_enough_programs():
    assert len(NAMES) >= 60


@pytest.mark.parametrize("name", NAMES)
def test_embedded(name: str, tmp_path: Path):
    workspace = Workspace(tmp_path / "w")
    runner = EmbeddedRunner(workspace)
    for spec in load(PROGRAMS / f"{name}.py"):
        if spec.code is not None:
            workspace.set_program(spec.code)
        if spec.command in ENGINE_COMMANDS:
            check(spec, runner.run(spec.command, spec.args), name)
        else:
            workspace.outside(spec)


@pytest.mark.pulumi
@pytest.mark.parametrize("name", NAMES)
def test_same_as_cli(name: str, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory):
    if shutil.which("pulumi") is None:
        pytest.skip("the Pulumi CLI is not on PATH")
    home = tmp_path_factory.getbasetemp() / "home"
    ours, theirs = Workspace(tmp_path / "embedded"), Workspace(tmp_path / "cli")
    embedded, cli = EmbeddedRunner(ours), CliRunner(theirs, home)
    for spec in load(PROGRAMS / f"{name}.py"):
        if spec.code is not None:
            ours.set_program(spec.code)
            theirs.set_program(spec.code)
        if spec.command not in ENGINE_COMMANDS:
            ours.outside(spec)
            theirs.outside(spec)
            continue
        mine = embedded.run(spec.command, spec.args)
        other = cli.run(spec.command, spec.args)
        where = f"{name}:{spec.line} {spec.command} {spec.args}"
        check(spec, other, f"{name} (cli)")
        check(spec, mine, f"{name} (embedded)")
        assert mine.steps == other.steps, where
        assert mine.state == other.state, where
        assert ours.form() == theirs.form(), where
        assert mine.objects == other.objects, where
