"""What a program leaves behind is no noise on the terminal."""

from __future__ import annotations

import gc
import warnings

from tests.engine.conformance import EmbeddedRunner, Workspace

FAILING = """
import pulumi
other = pulumi.StackReference("organization/conf/missing")
pulumi.export("x", other.get_output("x"))
"""


def test_outputs_of_a_program_that_failed_are_forgotten_in_silence(
    workspace: Workspace, runner: EmbeddedRunner
):
    workspace.set_program(FAILING)
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        outcome = runner.run("up", [])
        gc.collect()
    assert "unknown stack 'organization/conf/missing'" in outcome.messages
    assert not [str(one.message) for one in seen if "never awaited" in str(one.message)]
