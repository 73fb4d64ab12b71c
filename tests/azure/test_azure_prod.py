"""The Azure half of the prod stack: the cluster and what it needs. The Kubernetes half is taken at its word here."""

from tests.azure import policy
from tests.azure.test_azure_lifecycle import REPLACED, _check_golden, changed, new_model, remove_service

CLUSTER = ("managedClusters", "federated", "dataCollection")


def test_prod_from_nothing_to_nothing(prod, engine):
    prod.engine = engine
    first = prod.run("up")
    assert first.ok, first.error
    assert first.changes == {"create": 78}
    requests = prod.requests()
    _check_golden("prod", [e for e in requests if any(part in e["url"] for part in CLUSTER)])
    policy.check([entry["body"] | {"_type": entry["type"]} for entry in requests])
    assert "kubelogin" not in prod.state_text(), "the kubeconfig is plain in the state"
    assert changed(prod.run("up")) == {}

    prod.manifest(targets={"prod-cluster": {"create": {"max_count": 12}}})
    assert changed(prod.run("up")) == {"prod-cluster-cluster-pool-services": {"update"}}

    (pool,) = [i for i in prod.store.ids() if "/agentPools/" in i]
    document = prod.store.get(pool)
    document["inputs"]["count"] = 7
    prod.store.put(pool, {key: value for key, value in document.items() if key != "id"})
    assert prod.run("refresh").ok
    assert changed(prod.run("up")) == {}, "the autoscaler's work was undone"

    prod.manifest(targets={"prod-cluster": {"create": {"vm_size": "Standard_D8s_v5"}}})
    before = len(prod.requests())
    assert "replace" in changed(prod.run("up"))["prod-cluster-cluster-pool-services"]
    methods = [e["method"] for e in prod.requests()[before:] if "/agentPools/" in e["url"]]
    assert methods == ["PUT", "DELETE"], "the services' nodes went before the new ones were there"

    new_model(prod)
    assert changed(prod.run("up")) == {
        "diabetes-files": REPLACED,
        "diabetes-version": REPLACED,
        "diabetes-image-presence": {"update"},
        "diabetes-image-build": {"update"},
        # A new version beside the old one; the gate passes it, then the route moves.
        "diabetes-deployment": REPLACED,
        "diabetes-service": REPLACED,
        "diabetes-budget": REPLACED,
        "diabetes-autoscaler": REPLACED,
        "diabetes-gate": {"update"},
        "diabetes-rollout": {"update"},
    }

    prod.manifest(services={"diabetes": {"autoscale": {"max_replicas": 9}}})
    assert changed(prod.run("up")) == {"diabetes-autoscaler": {"update"}}

    prod.manifest(services={"diabetes": {"key_generation": {"primary": 2}}})
    assert changed(prod.run("up")) == {"diabetes-keys": {"update"}, "diabetes-keys-secret": {"update"}}

    remove_service(prod, "diabetes")
    assert changed(prod.run("up")) == dict.fromkeys(
        (
            "diabetes", "diabetes-account", "diabetes-autoscaler", "diabetes-budget", "diabetes-deployment",
            "diabetes-environment-secret", "diabetes-federation", "diabetes-gate", "diabetes-identity",
            "diabetes-identity-collect", "diabetes-identity-of-service", "diabetes-image",
            "diabetes-image-build", "diabetes-image-presence", "diabetes-keys",
            "diabetes-keys-secret", "diabetes-network", "diabetes-rollout", "diabetes-service", "diabetes-versions",
        ),
        frozenset({"delete"}),
    )  # fmt: skip
    assert prod.run("destroy").ok
    assert prod.store.ids() == []


def test_a_small_cluster_is_refused_by_name(prod):
    prod.manifest(targets={"prod-cluster": {"create": {"agent_count": 2}}})
    result = prod.run("preview")
    assert not result.ok
    assert "12" in result.error
    assert "agent_count" in result.error
    assert prod.requests() == []
