# ruff: noqa: E501 - a case is a line
"""`preview --markdown`: what a reviewer reads."""

import pytest

from mldeploy.review import Plan, render
from tests.lifecycle.project import Project

PREFIX = "urn:pulumi:prod::shop::"


def event(op, kind, name, parent="", keys=(), inputs=None, logical=True):
    state = {"parent": parent and PREFIX + parent, "inputs": inputs or {}}
    metadata = {
        "op": op,
        "type": kind,
        "urn": f"{PREFIX}{kind}::{name}",
        "logical": logical,
        "diffs": list(keys),
    }
    return {"resourcePreEvent": {"metadata": metadata | {"old" if op == "delete" else "new": state}}}


def text(*events, ok=True):
    plan = Plan()
    for one in events:
        plan(one)
    return render("prod", plan, ok=ok)


ACI, AKS, LOCAL = (f"mldeploy:service:{kind}Endpoint" for kind in ("Aci", "Aks", "Local"))


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        ([event("replace", "azure-native:containerinstance:ContainerGroup", "g", f"{ACI}::churn")], "Recreated: the service is down"),
        ([event("update", "azure-native:containerinstance:ContainerGroup", "g", f"{ACI}::churn")], "The container restarts"),
        ([event("replace", "mldeploy:service:Replica", "r", f"{LOCAL}::churn", ["models"])], "the port moves. No interruption"),
        ([event("replace", "mldeploy:service:Listener", "l", f"{LOCAL}::churn", ["port"])], "The port changes"),
        ([event("update", "mldeploy:service:ServiceKeys", "k", f"{LOCAL}::churn", ["generation_primary"])], "The primary key changes"),
        ([event("create", LOCAL, "churn")], "New service."),
        ([event("delete", LOCAL, "churn")], "Removed: clients get no answer"),
        (
            [event("update", "mldeploy:kubernetes:Rollout", "r", f"{AKS}::churn", [], {"strategy": "canary", "steps": [10, 100], "bake_seconds": 30})],
            "Canary: 10 % → 100 %, each step watched for 30 s",
        ),
    ],
)  # fmt: skip
def test_consequences(events, expected):
    found = text(*events)
    assert expected in found
    assert "| `churn` |" in found


def test_counts_and_shared_resources():
    found = text(
        event("same", LOCAL, "other"),
        event(
            "update",
            "azure-native:storage:StorageAccount",
            "azure-storage",
            "mldeploy:azure:Foundation::azure",
            ["tags"],
        ),
        event("create-replacement", "mldeploy:service:Replica", "x", logical=False),
    )
    assert "1 to update; 1 unchanged." in found
    assert "StorageAccount `azure-storage`" in found
    assert "`tags`" in found


def test_policies_and_errors():
    policy = {
        "policyEvent": {
            "enforcementLevel": "mandatory",
            "policyName": "auth-enabled",
            "message": "Asks.\nchurn: no key",
        }
    }
    error = {"diagnosticEvent": {"severity": "error", "message": "it broke<{%reset%}>"}}
    found = text(policy, error, ok=False)
    assert "**The preview failed.**" in found
    assert "- **mandatory** `auth-enabled`: churn: no key" in found
    assert "it broke\n" in found


def test_nothing_changes():
    assert "Nothing changes; 1 unchanged." in text(event("same", LOCAL, "churn"))


def test_command(tmp_path):
    """A first preview of a real project."""
    project = Project(tmp_path / "project", tmp_path / "home", "embedded")
    project.echo()
    done = project.run("preview", "--markdown", "preview.md")
    found = (project.root / "preview.md").read_text()
    assert "Stack local: 1 service changes." in done.stdout, "the console shows the plan, too"
    assert found.startswith("<!-- mldeploy preview local -->\n### Preview of `local`\n\n")
    assert "| `echo` |" in found
    assert "New service." in found
