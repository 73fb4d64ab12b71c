"""The same stack on the real CLI, with the stand-in as a plugin process; then each engine goes on for the other."""

import json
import re
import shlex
import shutil

import pytest

from tests.azure.test_azure_lifecycle import PIN, changed, new_model

pytestmark = [
    pytest.mark.pulumi,
    pytest.mark.skipif(shutil.which("pulumi") is None, reason="the Pulumi CLI is not on PATH"),
    pytest.mark.timeout(600),
]


def test_cli_creates_and_the_engines_agree(deploy):
    stack = deploy(**PIN)
    stack.cli("stack", "init")
    created = stack.cli("up", "--yes", "--skip-preview", "--non-interactive")
    assert re.search(r"\+ 40 created", created.stdout), created.stdout
    asked = len(stack.requests())
    assert changed(stack.run("up")) == {}, "the embedded engine sees changes after the CLI's update"
    assert len(stack.requests()) == asked

    new_model(stack)
    here = changed(stack.run("preview"))
    planned = json.loads(stack.cli("preview", "--non-interactive", "--json").stdout)
    there = {step["urn"].split("::")[-1] for step in planned["steps"] if step["op"] != "same"}
    assert set(here) == there

    assert stack.run("up").ok
    stack.cli("preview", "--non-interactive", "--expect-no-changes")
    stack.cli("destroy", "--yes", "--skip-preview", "--non-interactive")
    assert stack.store.ids() == []


@pytest.mark.reliability
def test_what_exists_is_taken_over_with_the_command_that_the_error_names(deploy):
    """An answer was lost: the import that the error gives, then the next `up` goes on, on either engine."""
    stack = deploy(**PIN)
    stack.plan_faults({"match": "/containerGroups/digits$", "kind": "lost"})
    assert not stack.run("up").ok
    error = stack.run("up").error
    (command,) = [line.strip() for line in error.splitlines() if line.strip().startswith("pulumi import ")]
    words = shlex.split(command)[1:]
    at = words.index("--stack")
    assert words[at + 1] == stack.stack
    stack.cli(*words[:at], *words[at + 2 :], "--non-interactive", "--skip-preview")
    after = stack.run("up")
    assert after.ok, after.error
    assert changed(stack.run("up")) == {}
    stack.cli("preview", "--non-interactive", "--expect-no-changes")
    assert len([i for i in stack.store.ids() if i.endswith("/containerGroups/digits")]) == 1
    stack.run("destroy")
    assert stack.store.ids() == []
