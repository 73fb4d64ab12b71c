"""The same stack on the real CLI, with the stand-in as a plugin process; then each engine goes on for the other."""

import json
import re
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
    assert re.search(r"\+ 39 created", created.stdout), created.stdout
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
