"""What people read, at 80 and 120 columns and without a terminal: text snapshots in `snapshots/`.

`UPDATE_SNAPSHOTS=1 pytest tests/cli/test_terminal.py` writes them anew; look at the difference before committing it.
"""

from __future__ import annotations

import io
import json
import os
import re
import time
from pathlib import Path

import pytest

from mldeploy.cli.live import services_display
from mldeploy.cli.loglines import last_traceback, readable
from mldeploy.cli.tables import status_lines
from mldeploy.engine.base.options import Result
from mldeploy.manifest import load
from mldeploy.operations import ServiceStatus, State
from mldeploy.review import Plan
from mldeploy.review.graph import build, text
from mldeploy.review.terminal import lines
from tests.lifecycle.project import ECHO_SCRIPT, REPOSITORY

SNAPSHOTS = Path(__file__).with_name("snapshots")
WIDTHS = {"80": "80", "120": "120", "pipe": None}


def check(name: str, found: str) -> None:
    file = SNAPSHOTS / f"{name}.txt"
    if os.environ.get("UPDATE_SNAPSHOTS"):
        file.write_text(found)
    assert found == file.read_text()


def fits(found: str, width: str | None) -> None:
    """Only lines with one word that is longer may be: an address, a digest."""
    for line in found.splitlines():
        assert len(line) <= int(width or 120) or len(line.split()) <= 2 or line.startswith("  "), line


def plain(output: str) -> str:
    """Without what differs from run to run."""
    for pattern, instead in (
        (r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d+", "<time>"),
        (r"127\.0\.0\.1:\d+", "127.0.0.1:<port>"),
        (r"\d+\.\d+ ?s\b", "<n>s"),
        (r" \(<n>s\)", ""),
        (r"\d+\.\d ms", "<n> ms"),
        (r"\b[0-9a-f]{12}\b", "<digest>"),
        (r'File "/[^"]*/(\w+\.py)"', r'File "<folder>/\1"'),
        (r'      File "<folder>/execution.py".*\n.*\n( +[~^]+\n)?', ""),
        (r"_seconds=\S+", "_seconds=<n>"),
        (r"echo-[0-9a-f]{8}-[0-9a-f]{6}", "<replica>"),
    ):
        output = re.sub(pattern, instead, output)
    kept = [
        line for line in output.splitlines() if not re.match(r"     \S+: |[ ~^]+$", line)
    ]  # progress, marks
    steps = sorted(line for line in kept if re.match(r"  [-+~]{1,2} +\S+:\S+:", line))  # several go at a time
    return "\n".join(steps.pop(0) if line in steps_of(kept) else line for line in kept)


def steps_of(lines: list[str]) -> list[str]:
    return [line for line in lines if re.match(r"  [-+~]{1,2} +\S+:\S+:", line)]


# --- the plan ---------------------------------------------------------------------------------------------

PREFIX = "urn:pulumi:prod::mldeploy::"
STACK = f"{PREFIX}pulumi:pulumi:Stack::mldeploy-prod"


def step(op, kind, name, parent=STACK, keys=(), inputs=None, old=None):
    chain = parent.split("::")[2].removeprefix("pulumi:pulumi:Stack")
    urn = f"{PREFIX}{f'{chain}$' if chain else ''}{kind}::{name}"
    new = {"parent": parent, "inputs": inputs or {}}
    before = {"parent": parent, "inputs": old or {}}
    sides = {"create": {"new": new}, "delete": {"old": before}}.get(op, {"new": new, "old": before})
    metadata = {"op": op, "type": kind, "urn": urn, "logical": True, "diffs": list(keys), **sides}
    return urn, {"resourcePreEvent": {"metadata": metadata}}


def first_prod() -> list[dict]:
    """The shape of the sample's first preview of prod: about seventy resources."""
    events = []

    def add(*arguments, **named):
        urn, event = step(*arguments, **named)
        events.append(event)
        return urn

    foundation = add("create", "mldeploy:azure:Foundation", "azure")
    for index, kind in enumerate(["ResourceGroup", "StorageAccount", "Registry", "Workspace", "Vault"] * 3):
        add("create", f"azure-native:x:{kind}", f"azure-{index}", foundation)
    cluster = add("create", "mldeploy:azure:AksCluster", "prod-cluster-cluster")
    for kind in ("ManagedCluster", "AgentPool", "MaintenanceConfiguration"):
        add("create", f"azure-native:containerservice:{kind}", f"prod-cluster-{kind}", cluster)
    add("create", "pulumi:providers:kubernetes", "prod-cluster-kubernetes")
    namespace = add("create", "mldeploy:service:ServingNamespace", "prod-cluster")
    add("create", "kubernetes:core/v1:Namespace", "prod-cluster-namespace", namespace)
    for name in ("diabetes", "digits"):
        model = add("create", "mldeploy:model:AzureModel", name)
        add("create", "mldeploy:azure:ModelFiles", f"{name}-files", model)
        image = add("create", "mldeploy:image:ContainerImage", f"{name}-image")
        add("create", "mldeploy:azure:BuildSource", f"{name}-image-source", image)
        add("create", "azure-native:managedidentity:FederatedIdentityCredential", f"{name}-federation")
        endpoint = add("create", "mldeploy:service:AksEndpoint", name)
        for kind in ("Deployment", "Service", "NetworkPolicy", "HorizontalPodAutoscaler"):
            add("create", f"kubernetes:x/v1:{kind}", f"{name}-{kind}", endpoint)
        add(
            "create",
            "mldeploy:kubernetes:Rollout",
            f"{name}-rollout",
            endpoint,
            inputs={"strategy": "canary"},
        )
    return events


def changed_prod() -> list[dict]:
    image = f"{PREFIX}mldeploy:image:ContainerImage::diabetes-image"
    endpoint = f"{PREFIX}mldeploy:service:AksEndpoint::diabetes"
    stack = {"op": "same", "type": "pulumi:pulumi:Stack", "urn": STACK, "logical": True, "new": {}}
    found = [{"resourcePreEvent": {"metadata": stack}}]
    for op, kind, name, parent, keys, inputs in (
        ("same", "mldeploy:image:ContainerImage", "diabetes-image", STACK, (), {}),
        ("replace", "mldeploy:azure:BuildSource", "diabetes-image-source", image, ["context_digest"], {}),
        ("same", "mldeploy:service:AksEndpoint", "diabetes", STACK, (), {}),
        ("replace", "kubernetes:apps/v1:Deployment", "diabetes-deployment", endpoint, ["spec"], {}),
        (
            "update",
            "mldeploy:kubernetes:Rollout",
            "diabetes-rollout",
            endpoint,
            ["active"],
            {"strategy": "canary", "steps": [5, 25, 100], "bake_seconds": 60},
        ),
    ):
        found.append(step(op, kind, name, parent, keys, inputs)[1])
    message = {"severity": "warning", "message": "one thing\n    that is indented stays", "urn": ""}
    return [*found, {"diagnosticEvent": message}]


@pytest.mark.parametrize("width", [80, 120])
@pytest.mark.parametrize(("name", "events"), [("first", first_prod), ("changed", changed_prod)])
def test_the_plan_of_prod(name, events, width):
    plan = Plan()
    for event in events():
        plan(event)
    found = "\n".join(lines("prod", plan, load(REPOSITORY, "prod"), ok=True, width=width)) + "\n"
    assert max(map(len, found.splitlines())) <= width
    check(f"plan-{name}-{width}", found)


def test_the_prod_plan_is_two_services_a_cluster_and_a_foundation():
    plan = Plan()
    for event in first_prod():
        plan(event)
    found = lines("prod", plan, load(REPOSITORY, "prod"), ok=True, width=80)
    heads = [line.split()[1] for line in found if line.startswith("  +")]
    assert heads == ["diabetes", "digits", "cluster", "foundation"]


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("stream", [io.StringIO, Terminal], ids=["pipe", "terminal"])
@pytest.mark.parametrize("width", [80, 120])
def test_an_update_of_prod_is_a_line_a_service(stream, width, monkeypatch):
    monkeypatch.setenv("COLUMNS", str(width))
    out = stream()
    display = services_display("up", out)
    events = first_prod()
    for event in events:
        display(event)
        metadata = event["resourcePreEvent"]["metadata"]
        if metadata["urn"].endswith("::digits-rollout"):
            display({"resOpFailedEvent": {"metadata": metadata}})
        else:
            display({"resOutputsEvent": {"metadata": metadata}})
    display.close(Result(ok=False, changes={"create": len(events) - 1}, duration=1.0))
    found = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", out.getvalue())
    assert max(map(len, found.splitlines())) <= width
    heads = [
        line
        for line in found.splitlines()
        if re.match(r" *(├── |└── )?[-+~±!] (azure|diabetes|digits|prod-cluster)\b", line)
    ]
    names = [re.split(r"[-+~±!] ", line, maxsplit=1)[1].split()[0].rstrip(":") for line in heads]
    assert sorted(set(names)) == ["azure", "diabetes", "digits", "prod-cluster"]
    assert re.search(r"digits:? +Rollout failed", found)
    assert f"+ {len(events) - 1} created" in found


# --- services ---------------------------------------------------------------------------------------------

LONG = "https://models-production.westeurope.cloudapp.azure.com/api/v1/service/diabetes-progression/score"
DETAIL = "2 of 3 pods are ready; the third restarts: it was killed for memory, 1 GiB is its limit"
MODELS = {"one": "1" * 12, "two": "2" * 40}
ROWS = [
    ServiceStatus(
        "diabetes", "here", State.HEALTHY, {"diabetes": "3f6cfe1734a1"}, "http://127.0.0.1:8890/score", "x"
    ),
    ServiceStatus("a-service-with-a-long-name", "prod-cluster", State.UNHEALTHY, MODELS, LONG, "x", DETAIL),
    ServiceStatus("new", "here", State.MISSING, {}, None, None),
]


@pytest.mark.parametrize("width", [80, 120])
def test_status_cuts_and_wraps_no_address_and_no_version(width):
    found = "\n".join(status_lines(ROWS, width)) + "\n"
    assert LONG in found
    assert "1" * 12 in found
    assert "2" * 40 in found
    check(f"status-{width}", found)


@pytest.mark.parametrize("width", WIDTHS)
def test_a_service_from_the_first_plan_to_a_failure(make_project, width, monkeypatch):
    columns = {} if WIDTHS[width] is None else {"COLUMNS": WIDTHS[width]}
    project = make_project(**columns)
    project.echo(auth_enabled=False)
    found = {"preview": project.run("preview").stdout}
    found["up"] = project.run("up", "--yes").stdout
    found["status"] = project.run("status").stdout
    project.post("echo", {"x": [1]})
    project.post("echo", {"y": 1})
    while "POST /score 500" not in (logs := project.run("logs", "echo").stdout):
        time.sleep(0.1)  # lines of requests are written a moment later
    found["logs"] = logs
    project.write("scripts/score.py", ECHO_SCRIPT.replace("global model", "raise RuntimeError('no')"))
    found["preview of a change"] = project.run("preview").stdout
    failed = project.run("up", "--yes", check=False)
    assert failed.returncode == 1
    found["failure"] = failed.stdout
    assert failed.stdout.count("init() raised RuntimeError: no") == 1, "what failed, once"
    assert "1 failed" in failed.stdout
    assert "Outputs:" not in "".join(found.values())
    printed = "".join(f"$ {name}\n{plain(text)}\n" for name, text in found.items())
    fits(printed, WIDTHS[width])
    check(f"service-{width}", printed)


# --- logs and answers -------------------------------------------------------------------------------------


def test_log_lines():
    record = {"time": "2026-01-31T12:00:00.123Z", "level": "error", "message": "run() failed", "pid": 7}
    trace = "Traceback (most recent call last):\n  File \"score.py\", line 3, in run\nKeyError: 'x'\n"
    assert readable(json.dumps(record | {"traceback": trace})) == [
        "2026-01-31 12:00:00.123 ERROR   run() failed",
        "    Traceback (most recent call last):",
        '      File "score.py", line 3, in run',
        "    KeyError: 'x'",
    ]
    request = {"time": "2026-01-31T12:00:00Z", "level": "info", "message": "request", "status": 200}
    request |= {"ms": 12.345, "method": "POST", "path": "/score", "request_id": "abc", "attempt": 2}
    assert readable(json.dumps(request)) == [
        "2026-01-31 12:00:00 INFO    request POST /score 200 12.3 ms attempt=2"
    ]
    assert readable("what a script printed") == ["what a script printed"]
    assert (
        last_traceback(["x", json.dumps(record | {"traceback": trace}), json.dumps(record)])
        == trace.splitlines()
    )
    assert last_traceback(["x"]) == []


def test_a_failed_answer_shows_the_scripts_traceback(project):
    project.echo()
    project.run("up", "--yes")
    project.write("wrong.json", {"y": 1})
    done = project.run("score", "echo", "--data", "wrong.json", check=False)
    assert done.returncode == 1
    assert "the script's last traceback:" in done.stderr
    assert "KeyError: 'x'" in done.stderr


def test_record_writes_the_golden_answer(project):
    project.echo()
    project.run("up", "--yes")
    answer = (project.root / "golden/echo.expected.json").read_text()
    project.write("golden/echo.expected.json", "{}")
    project.run("score", "echo", "--data", "golden/echo.json", "--record")
    assert json.loads((project.root / "golden/echo.expected.json").read_text()) == json.loads(answer)
    done = project.run("score", "echo", "--data", "models/weights.json", "--record", check=False)
    assert done.returncode == 2
    assert "no golden request of echo is models/weights.json" in done.stderr


def test_graph_as_text():
    check("graph", text(build(load(REPOSITORY, "prod"))))
