"""Options of AKS clusters: managed Prometheus, and what an attached one is read with."""

import pytest
import yaml
from pulumi_azure_native import operationalinsights, resources

from components.targets.aks.args import Attach
from mldeploy.manifest import ManifestErrors, load
from tests.azure import harness, programs
from tests.azure.standin.store import Store

MONITOR = f"{programs.GROUP}/providers/Microsoft.Monitor/accounts/platform"
OTHER = "22222222-2222-4222-8222-222222222222"


def test_managed_prometheus_leads_from_the_cluster_to_a_workspace(tmp_path):
    def program():
        group = resources.ResourceGroup("group", resource_group_name="rg", location="westeurope")
        elsewhere = dict.fromkeys(("registry_id", "subnet_id", "log_analytics_id"))
        programs.aks(resource_group=group.name, managed_prometheus=True, **elsewhere)

    recorded = harness.run(program, tmp_path, preview=False)
    assert recorded.error is None
    assert not recorded.faults
    cluster = recorded.one("prod-cluster").plain
    assert cluster["azureMonitorProfile"] == {"metrics": {"enabled": True}}
    made = {item.name: item.plain for item in recorded.resources if ":monitor:" in item.type}
    assert set(made) == {f"prod-metrics-{role}" for role in ("workspace", "endpoint", "rule", "association")}
    rule, association = made["prod-metrics-rule"], made["prod-metrics-association"]
    ids = {ident.rsplit("/", 2)[-2]: ident for ident in Store(tmp_path).ids()}
    assert rule["dataCollectionEndpointId"] == ids["dataCollectionEndpoints"]
    (account,) = rule["destinations"]["monitoringAccounts"]
    assert account["accountResourceId"] == ids["accounts"]
    assert rule["dataFlows"] == [
        {"streams": ["Microsoft-PrometheusMetrics"], "destinations": [account["name"]]}
    ]
    assert rule["dataSources"]["prometheusForwarder"][0]["streams"] == ["Microsoft-PrometheusMetrics"]
    assert association["resourceUri"] == ids["managedClusters"]
    assert association["dataCollectionRuleId"] == ids["dataCollectionRules"]
    # The service's own limits and rules: 44 characters, one region, kind of a cluster's nodes.
    for role in ("endpoint", "rule"):
        item = made[f"prod-metrics-{role}"]
        assert (item["location"], item["kind"]) == ("westeurope", "Linux")
        assert len(item.get("dataCollectionRuleName") or item["dataCollectionEndpointName"]) <= 44
        assert item["tags"] == {"team": "health"}


def test_an_existing_workspace_is_used_and_left_alone(tmp_path):
    recorded = harness.run(
        lambda: programs.aks(managed_prometheus=True, azure_monitor_workspace_id=MONITOR), tmp_path
    )
    assert recorded.error is None
    assert recorded.of("AzureMonitorWorkspace") == []
    rule = recorded.one("prod-metrics-rule")
    assert rule.plain["destinations"]["monitoringAccounts"][0]["accountResourceId"] == MONITOR


def test_without_it_nothing_is_made(tmp_path):
    recorded = harness.run(lambda: programs.aks(log_analytics_id=None), tmp_path)
    assert recorded.error is None
    assert not any(":monitor:" in item.type for item in recorded.resources)
    assert recorded.one("prod-cluster").plain["azureMonitorProfile"] == {"metrics": {"enabled": False}}


def test_container_logs_have_the_rule_that_the_agent_asks_for(tmp_path):
    """An add-on that logs in with the cluster's identity collects nothing without a rule and its association."""

    def program():
        group = resources.ResourceGroup("group", resource_group_name="rg", location="westeurope")
        logs = operationalinsights.Workspace(
            "logs", resource_group_name=group.name, workspace_name="log-one", location="westeurope"
        )
        elsewhere = dict.fromkeys(("registry_id", "subnet_id"))
        programs.aks(resource_group=group.name, log_analytics_id=logs.id, **elsewhere)

    recorded = harness.run(program, tmp_path, preview=False)
    assert recorded.error is None
    assert not recorded.faults
    addon = recorded.one("prod-cluster").plain["addonProfiles"]["omsagent"]
    assert addon["config"]["useAADAuth"] == "true"
    rule, association = recorded.one("prod-logs").plain, recorded.one("prod-logs-association").plain
    ids = {ident.rsplit("/", 2)[-2]: ident for ident in Store(tmp_path).ids()}
    (workspace,) = rule["destinations"]["logAnalytics"]
    assert (
        workspace["workspaceResourceId"]
        == addon["config"]["logAnalyticsWorkspaceResourceID"]
        == ids["workspaces"]
    )
    (extension,) = rule["dataSources"]["extensions"]
    assert extension["extensionName"] == "ContainerInsights"
    assert rule["dataFlows"] == [{"streams": extension["streams"], "destinations": [workspace["name"]]}]
    assert (rule["location"], rule["kind"], rule["tags"]) == ("westeurope", "Linux", {"team": "health"})
    assert len(rule["dataCollectionRuleName"]) <= 44
    assert association["resourceUri"] == ids["managedClusters"]
    assert association["dataCollectionRuleId"] == ids["dataCollectionRules"]
    assert association["associationName"] == "ContainerInsightsExtension"


# --- attach -----------------------------------------------------------------------------------------------------


@pytest.fixture
def shared(tmp_path):
    """An existing cluster with a size that no table knows."""

    def make(count):
        pools = [
            {"name": "system", "mode": "System", "count": 3, "vmSize": "Standard_Dnew_v9"},
            {"name": "work", "mode": "User", "count": count, "vmSize": "Standard_Dnew_v9"},
        ]
        ident = f"{programs.GROUP}/providers/Microsoft.ContainerService/managedClusters/shared"
        found = {
            "name": "shared", "fqdn": "shared.example.org", "nodeResourceGroup": "MC_x", "location": "westeurope",
            "agentPoolProfiles": pools, "oidcIssuerProfile": {"issuerURL": "https://issuer.example.org/"},
            "identityProfile": {"kubeletidentity": {"objectId": programs.PRINCIPAL}},
            "type": "x", "provisioningState": "Succeeded",
        }  # fmt: skip
        Store(tmp_path).put(
            ident, {"type": "x", "body": {}, "inputs": {}, "outputs": found, "state": "Succeeded"}
        )

    return make


@pytest.mark.parametrize(("count", "vcpus", "fault"), [(3, 4, None), (2, 4, "has 8 vCPUs"), (2, 6, None)])
def test_vcpus_overrides_a_size_that_is_not_known(shared, tmp_path, count, vcpus, fault):
    shared(count)
    attach = Attach(resource_group="rg", cluster_name="shared", vcpus=vcpus)
    recorded = harness.run(lambda: programs.aks(attach=attach), tmp_path)
    assert (recorded.error is None) == (fault is None), recorded.error
    assert fault is None or fault in str(recorded.error)


def test_a_size_that_is_not_known_asks_for_vcpus(shared, tmp_path):
    shared(3)
    attach = Attach(resource_group="rg", cluster_name="shared")
    recorded = harness.run(lambda: programs.aks(attach=attach), tmp_path)
    assert "Standard_Dnew_v9" in str(recorded.error)
    assert "vcpus" in str(recorded.error)


def test_a_cluster_of_another_subscription_is_read_there(shared, tmp_path):
    shared(3)
    attach = Attach(resource_group="rg", cluster_name="shared", vcpus=4, subscription_id=OTHER)
    recorded = harness.run(lambda: programs.aks(attach=attach), tmp_path)
    assert recorded.error is None
    (provider,) = recorded.of("pulumi:providers:azure-native")
    assert provider.plain["subscriptionId"] == OTHER


# --- the manifest -----------------------------------------------------------------------------------------------


def faults(folder, **create):
    manifest = {
        "version": 1,
        "azure": {"location": "westeurope"},
        "targets": {"prod": {"type": "aks", "create": create}},
    }
    (folder / "manifest.yaml").write_text(yaml.safe_dump(manifest))
    try:
        load(folder, "prod")
    except ManifestErrors as errors:
        return str(errors)
    return ""


def test_the_manifests_workspace(tmp_path):
    good = MONITOR
    assert faults(tmp_path, managed_prometheus=True, azure_monitor_workspace_id=good) == ""
    assert "has no effect without managed_prometheus" in faults(tmp_path, azure_monitor_workspace_id=good)
    wrong = faults(tmp_path, managed_prometheus=True, azure_monitor_workspace_id=programs.LOGS)
    assert "allowed: Microsoft.Monitor/accounts" in wrong
