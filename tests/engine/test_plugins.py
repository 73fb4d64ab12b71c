"""Plugins as processes: found as Pulumi finds them; missing, crashing, hanging ones are one clear error."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from mldeploy.engine.base.errors import MissingPluginError, PluginError, UnsupportedError
from mldeploy.engine.plugins.plugin import PluginProcess, find_plugin
from tests.engine.conformance import HERE, EmbeddedRunner, Workspace

PROGRAM = "from tp import Res\na = Res('a', value=1)\nRes('b', value=a.computed)\n"


def children() -> set[str]:
    """Processes that this one has started and that still run."""
    mine = Path(f"/proc/{os.getpid()}/task")
    found: set[str] = set()
    for task in mine.iterdir():
        for pid in (task / "children").read_text().split():
            if "testprovider" in Path(f"/proc/{pid}/cmdline").read_text():
                found.add(pid)
    return found


def test_lifecycle_over_grpc(workspace: Workspace):
    runner = EmbeddedRunner(workspace, plugin=True)
    workspace.set_program(PROGRAM)
    assert runner.run("up", []).changes == {"create": 3}
    workspace.set_program(PROGRAM.replace("value=1", "value=2"))
    assert runner.run("up", ["--refresh"]).changes == {"same": 1, "update": 2}
    assert runner.run("destroy", ["--refresh"]).changes == {"delete": 3}
    assert not workspace.objects()
    assert not children(), "no plugin process stays"


def without_plugin(workspace: Workspace) -> EmbeddedRunner:
    (workspace.folder / "Pulumi.yaml").write_text("name: conf\nruntime: python\n")
    return EmbeddedRunner(workspace, plugin=True)


def test_missing_plugin_preview_plans(workspace: Workspace):
    runner = without_plugin(workspace)
    workspace.set_program(PROGRAM)
    outcome = runner.run("preview", [])
    assert outcome.ok
    assert outcome.changes == {"create": 3}
    assert "planned without the tp plugin" in outcome.messages


def test_missing_plugin_up_refuses_before_the_first_step(workspace: Workspace):
    runner = without_plugin(workspace)
    workspace.set_program(PROGRAM)
    outcome = runner.run("up", [])
    assert not outcome.ok
    assert not outcome.steps
    assert "pulumi plugin install resource tp" in outcome.messages
    assert not outcome.state


@pytest.mark.parametrize("command", ["refresh", "destroy", "up"])
def test_plugin_of_recorded_resources_is_missing(workspace: Workspace, runner: EmbeddedRunner, command: str):
    workspace.set_program(PROGRAM)
    before = runner.run("up", []).state
    workspace.set_program("pass\n")
    outcome = without_plugin(workspace).run(command, [])
    assert not outcome.ok
    assert not outcome.steps
    assert outcome.state == before


def test_crash_is_one_clear_error_and_a_consistent_state(workspace: Workspace):
    runner = EmbeddedRunner(workspace, plugin=True)
    workspace.set_program("from tp import Res\nRes('a', value=1, crash='create', put=True)\n")
    outcome = runner.run("up", [])
    assert not outcome.ok
    assert "killed by signal 9" in outcome.messages
    workspace.set_program("from tp import Res\nRes('a', value=1, put=True)\n")
    assert runner.run("refresh", []).ok
    assert runner.run("up", []).ok
    assert list(workspace.objects()) == ["a"]


def test_an_error_that_comes_with_a_big_object_is_said_and_the_object_kept(workspace: Workspace):
    """The details of an error travel in headers, which have a limit."""
    runner = EmbeddedRunner(workspace, plugin=True)
    workspace.set_program("from tp import Res\nRes('a', value='x' * 100_000, fail=['init'])\n")
    outcome = runner.run("up", [])
    assert not outcome.ok
    assert "it never became ready" in outcome.messages
    assert list(workspace.objects()) == ["a-1"]
    assert "x" * 100_000 in str(outcome.state)


def test_hanging_plugin(workspace: Workspace, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("TP_HANG", "1")
    with pytest.raises(PluginError, match=r"said nothing for 3 s"):
        PluginProcess(
            HERE / "bin" / "pulumi-resource-tp",
            arguments=[],
            cwd=workspace.folder,
            env=dict(os.environ),
            name="tp",
            on_line=lambda *_: None,
            timeout=3,
        )
    assert not children()


def test_a_plugin_that_ends_or_talks_nonsense(workspace: Workspace):
    def start(text: str) -> str:
        script = workspace.folder / "plugin"
        script.write_text(f"#!/bin/sh\n{text}\n")
        script.chmod(0o755)
        with pytest.raises(PluginError) as caught:
            PluginProcess(
                script,
                arguments=[],
                cwd=workspace.folder,
                env=dict(os.environ),
                name="x",
                on_line=lambda *_: None,
                timeout=10,
            )
        return str(caught.value)

    assert "ended before it named its port: no licence" in start("echo no licence >&2; exit 1")
    assert "printed 'hello'" in start("echo hello; sleep 30")
    assert "does not start" in _missing_interpreter(workspace)


def _missing_interpreter(workspace: Workspace) -> str:
    script = workspace.folder / "broken"
    script.write_text("#!/nonexistent/interpreter\n")
    script.chmod(0o755)
    with pytest.raises(PluginError) as caught:
        PluginProcess(
            script, arguments=[], cwd=workspace.folder, env={}, name="x", on_line=lambda *_: None, timeout=10
        )
    return str(caught.value)


def test_a_plugin_in_source_form(workspace: Workspace):
    """A folder with PulumiPlugin.yaml and Python's `__main__.py`, as component packages are."""
    folder = workspace.folder / "plugin"
    folder.mkdir()
    (folder / "PulumiPlugin.yaml").write_text("runtime: {name: python, options: {virtualenv: none}}\n")
    (folder / "__main__.py").write_text((HERE / "testprovider.py").read_text())
    project = workspace.folder / "Pulumi.yaml"
    project.write_text(project.read_text().replace(str(HERE / "bin"), str(folder)))
    workspace.set_program(
        "import pulumi\nclass Pair(pulumi.ComponentResource):\n    def __init__(self, name, **props):\n"
        "        super().__init__('tp:index:Pair', name, {'result': None, **props}, None, True)\n"
        "pulumi.export('result', Pair('x', value='v').result)\n"
    )
    outcome = EmbeddedRunner(workspace, plugin=True).run("up", [])
    assert outcome.ok, outcome.messages
    assert outcome.changes == {"create": 4}
    stack = next(one for one in outcome.state if one["type"] == "pulumi:pulumi:Stack")
    assert stack["outputs"] == {"result": "x-second=x-first=v"}
    assert not children(), "no plugin process stays"


class TestFinding:
    def install(self, home: Path, name: str, version: str) -> Path:
        folder = home / "plugins" / f"resource-{name}-v{version}"
        folder.mkdir(parents=True)
        executable = folder / f"pulumi-resource-{name}"
        executable.write_text("")
        executable.chmod(0o755)
        return executable

    def test_order(self, workspace: Workspace, monkeypatch: pytest.MonkeyPatch):
        home = workspace.folder.parent / "pulumi-home"
        older, newer = self.install(home, "x", "1.9.0"), self.install(home, "x", "1.10.0")
        assert find_plugin("resource", "x", "", {}) == newer
        assert find_plugin("resource", "x", "1.9.0", {}) == older
        with pytest.raises(
            MissingPluginError, match=r"at version v2.0.0.*pulumi plugin install resource x 2.0.0"
        ):
            find_plugin("resource", "x", "2.0.0", {})
        on_path = workspace.folder / "bin"
        on_path.mkdir()
        shutil.copy(newer, on_path)
        monkeypatch.setenv("PATH", f"{on_path}:{os.environ['PATH']}")
        assert find_plugin("resource", "x", "", {}).parent == on_path
        own = workspace.folder / "own"
        own.mkdir()
        shutil.copy(newer, own)
        assert find_plugin("resource", "x", "", {"x": (own, "")}).parent == own

    def test_a_half_installed_one_does_not_count(self, workspace: Workspace):
        home = workspace.folder.parent / "pulumi-home"
        self.install(home, "x", "1.0.0")
        (home / "plugins" / "resource-x-v1.0.0.partial").write_text("")
        with pytest.raises(MissingPluginError):
            find_plugin("resource", "x", "", {})

    def test_plugins_in_source_form_of_other_languages_are_refused(self, workspace: Workspace):
        (workspace.folder / "PulumiPlugin.yaml").write_text("runtime: {name: nodejs}\n")
        with pytest.raises(UnsupportedError, match="source form"):
            find_plugin("resource", "x", "", {"x": (workspace.folder, "")})
