"""What containers print, in the stack's Log Analytics workspace."""

from mldeploy.values.property_value import Secret
from tests.azure.standin import outputs
from tests.azure.standin.store import masked
from tests.azure.test_azure_lifecycle import PIN, changed


def _groups(stack):
    """The bodies of the services' groups, without those that only try to pull."""
    asked = [entry for entry in stack.requests() if "/containerGroups/" in entry["url"]]
    return [entry["body"] for entry in asked if "-pull?" not in entry["url"]]


def test_container_groups_send_what_they_print_to_the_workspace(deploy):
    stack = deploy(**PIN, targets={"devtest": {"log_analytics": True}})
    assert stack.run("preview").ok, "the workspace does not exist yet"
    assert stack.run("up").ok
    (workspace,) = [ident for ident in stack.store.ids() if ".OperationalInsights/" in ident]
    key = outputs._hex(workspace, 40)
    sent = _groups(stack)
    assert len(sent) == 2
    for body in sent:
        found = body["properties"]["diagnostics"]["logAnalytics"]
        assert found["workspaceId"] == outputs.guid(workspace, "customer")
        assert found["workspaceKey"] == masked(Secret(key))
        assert found["logType"] == "ContainerInstanceLogs"
    assert key not in stack.state_text()
    assert changed(stack.run("up")) == {}

    stack.manifest(targets={"devtest": {"log_analytics": False}})
    assert changed(stack.run("up")) == {"diabetes-group": {"update"}, "digits-group": {"update"}}


def test_without_it_the_workspaces_key_is_never_asked_for(deploy):
    stack = deploy(**PIN)
    assert stack.run("up").ok
    sent = _groups(stack)
    assert not any("diagnostics" in body["properties"] for body in sent)
