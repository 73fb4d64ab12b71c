"""Displays: lines, trees, property diffs, JSON in the CLI's shape; secrets masked everywhere."""

from __future__ import annotations

import io
import json

import pytest

from mldeploy.engine import Engine, Options, Result
from mldeploy.engine.display import make_display
from tests.engine.conformance import PASSPHRASE, Workspace
from tests.engine.testprovider import TestProvider

FIRST = """
import pulumi
from tp import Group, Res
a = Res("a", value=1, token=pulumi.Output.secret("planted-secret"), tags={"team": "x", "deep": {"k": [1, 2]}})
Group("g", body=lambda g: {"id": Res("child", value=a.computed, opts=pulumi.ResourceOptions(parent=g)).id})
pulumi.export("url", a.computed)
pulumi.export("key", pulumi.Output.secret("planted-secret"))
"""
SECOND = """
import pulumi
from tp import Group, Res
tags = {"team": "z", "deep": {"k": [1, 3]}}
a = Res("a", value=2, force="y", token=pulumi.Output.secret("planted-other"), tags=tags, long="x" * 500)
pulumi.export("url", a.computed)
pulumi.export("key", pulumi.Output.secret("planted-secret"))
"""
BROKEN = "from tp import Res\nRes('a', value=1, force='z', fail=['create'])\n"


def show(workspace: Workspace, operation: str, **options) -> tuple[str, Result]:
    stream = io.StringIO()
    display = make_display(operation, stream=stream, **options)
    engine = Engine(
        workspace.folder,
        "dev",
        backend_url=workspace.state_url,
        passphrase=PASSPHRASE,
        sink=display,
        providers={"tp": lambda: TestProvider(workspace.objects_dir)},
    )
    result = getattr(engine, operation)(Options(parallel=1))
    display.close(result)
    return stream.getvalue(), result


@pytest.mark.parametrize("options", [{}, {"diff": True}, {"interactive": True}, {"json": True}])
def test_lifecycle(workspace: Workspace, options: dict):
    texts: list[str] = []
    for program, operation in ((FIRST, "preview"), (FIRST, "up"), (SECOND, "preview"), (SECOND, "up")):
        workspace.set_program(program)
        texts.append(show(workspace, operation, **options)[0])
    workspace.set_program(BROKEN)
    text, result = show(workspace, "up", **options)
    assert not result.ok
    assert "the full reason" in text, "the provider's whole message"
    texts.append(text)
    texts.append(show(workspace, "refresh", **options)[0])
    texts.append(show(workspace, "destroy", **options)[0])
    for text in texts:
        assert text
        assert "planted-" not in text


def test_plain(workspace: Workspace):
    workspace.set_program(FIRST)
    text, _ = show(workspace, "up")
    lines = text.splitlines()
    assert "  +  tp:index:Res a created" in lines
    assert "  +  test:index:Group g created" in lines
    assert "    + 4 created" in lines
    assert "key:" not in text, "`stack output` shows outputs"
    assert lines[-1].startswith("Duration: ")
    text, _ = show(workspace, "up")
    assert "    4 unchanged" in text.splitlines()
    assert "created" not in text


def test_nested_property_diff(workspace: Workspace):
    workspace.set_program(FIRST)
    show(workspace, "up")
    workspace.set_program(SECOND)
    text, _ = show(workspace, "preview", diff=True)
    assert "+ force" in text
    assert "(replaces)" in text
    assert "~ value: 1 => 2" in text
    assert "[secret] => [secret]" in text
    assert "…" in text, "long values are cut"
    assert "x" * 200 not in text
    assert "- tp:index:Res child delete" in text.replace("  ", " ")


def test_json_events(workspace: Workspace):
    workspace.set_program(FIRST)
    text, _ = show(workspace, "up", json=True)
    events = [json.loads(line) for line in text.splitlines()]
    assert [e["sequence"] for e in events] == list(range(len(events)))
    kinds = [next(k for k in e if k.endswith("Event")) for e in events]
    assert kinds[0] == "preludeEvent"
    assert kinds[-2:] == ["summaryEvent", "cancelEvent"]
    assert {"resourcePreEvent", "resOutputsEvent"} <= set(kinds)
    summary = events[-2]["summaryEvent"]
    assert summary["resourceChanges"] == {"create": 4}
    assert summary["result"] == "succeeded"
    step = next(e["resourcePreEvent"]["metadata"] for e in events if "resourcePreEvent" in e)
    assert {"op", "urn", "type", "old", "new", "detailedDiff", "provider"} <= set(step)


def test_json_preview(workspace: Workspace):
    workspace.set_program(FIRST)
    text, _ = show(workspace, "preview", json=True)
    digest = json.loads(text)
    assert digest["changeSummary"] == {"create": 4}
    assert {s["op"] for s in digest["steps"]} == {"create"}
    assert isinstance(digest["duration"], int)
