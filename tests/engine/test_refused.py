"""What the embedded engine does not do is refused by name, before anything is changed."""

from __future__ import annotations

import pytest

from tests.engine.conformance import EmbeddedRunner, Workspace

REFUSED = {
    "hook": (
        "import pulumi\nfrom tp import Res\n"
        "hook = pulumi.ResourceHook('h', lambda args: None)\n"
        "Res('a', opts=pulumi.ResourceOptions(hooks=pulumi.ResourceHookBinding(before_create=[hook])))\n",
        "resource hooks",
    ),
    "organization": (
        "import pulumi\npulumi.StackReference('acme/conf/dev')\n",
        "the organization of stacks in folders is 'organization'",
    ),
    "environment variable mappings": (
        "import pulumi\nfrom tp import Provider, Res\n"
        "Res('a')\nProvider('p', opts=pulumi.ResourceOptions(env_var_mappings={'A': 'B'}))\n",
        "environment variable mappings",
    ),
    "version requirement": (
        "import pulumi\npulumi.runtime.require_pulumi_version('>=4.0.0')\n",
        "Pulumi >=4.0.0 is required",
    ),
    "remote asset": (
        "import pulumi\nfrom tp import Res\nRes('a', file=pulumi.RemoteAsset('https://example.org/x'))\n",
        "remote assets",
    ),
    "stash": ("import pulumi\npulumi.Stash('s', input=1)\n", "Stash is not supported"),
}


@pytest.mark.parametrize("name", REFUSED)
@pytest.mark.parametrize("command", ["preview", "up"])
def test_refused_by_name(name: str, command: str, workspace: Workspace, runner: EmbeddedRunner):
    program, text = REFUSED[name]
    workspace.set_program(program)
    outcome = runner.run(command, [])
    assert not outcome.ok
    assert text in outcome.messages
    assert not workspace.objects()


@pytest.mark.parametrize(
    ("file", "text", "message"),
    [
        ("Pulumi.yaml", "name: conf\nruntime: nodejs\n", "runs Python programs only"),
        (
            "Pulumi.yaml",
            "name: conf\nruntime: python\npackages:\n  x: {source: y, parameters: [z]}\n",
            "parameterised packages",
        ),
        ("Pulumi.yaml", "runtime: python\n", "'name' is missing"),
        ("Pulumi.dev.yaml", "environment: [prod]\n", "Pulumi ESC"),
        ("Pulumi.dev.yaml", "secretsprovider: awskms://x\n", "knows 'passphrase' only"),
        ("Pulumi.dev.yaml", "config: [\n", "not valid YAML"),
        ("Pulumi.dev.yaml", "config:\n  pulumi:autonaming: {mode: verbatim}\n", "pulumi:autonaming needs"),
        (
            "Pulumi.yaml",
            "name: conf\nruntime: {name: python, options: {virtualenv: other}}\n",
            "runs the program in its own Python",
        ),
    ],
)
def test_project_files(workspace: Workspace, runner: EmbeddedRunner, file: str, text: str, message: str):
    from mldeploy.engine import EngineError

    workspace.set_program("pass\n")
    (workspace.folder / "other").mkdir()
    (workspace.folder / file).write_text(text)
    try:
        outcome = runner.run("up", [])
        assert not outcome.ok
        messages = outcome.messages
    except EngineError as error:
        messages = str(error)
    assert message in messages


def test_other_backends_are_refused(workspace: Workspace):
    from mldeploy.engine import Engine, EngineError

    with pytest.raises(EngineError, match=r"s3://bucket.*file://"):
        Engine(workspace.folder, "dev", backend_url="s3://key:secret@bucket")
    with pytest.raises(EngineError, match="stack name"):
        Engine(workspace.folder, "../dev")
